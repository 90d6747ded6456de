// SPDX-License-Identifier: Apache-2.0
// What makes a flight recorder write: a gauge of the host that stays above a limit, or the
// end of a process. Fires once, and again when it was below. Plain data; one owner.
#ifndef FLAME_PROF_RECORD_SYSTEM_HOST_TRIGGER_H
#define FLAME_PROF_RECORD_SYSTEM_HOST_TRIGGER_H

#include "capture/system/exit_watch.h"
#include "capture/system/host_gauges.h"

#include <stdbool.h>
#include <stdint.h>

enum { HOST_TRIGGERS_MAX = 16, HOST_TRIGGER_TEXT_BYTES = 64 };

enum host_trigger_kind { HOST_TRIGGER_GAUGE, HOST_TRIGGER_EXIT };

struct host_trigger {
    enum host_trigger_kind kind;
    char text[HOST_TRIGGER_TEXT_BYTES]; // as it was asked for
    enum host_gauge gauge;
    double limit;
    uint64_t hold_ns;           // for so long without a pause
    char comm[EXIT_COMM_BYTES]; // of the process that ends
    // Since when it is above; 0 = it is not.
    uint64_t since_ns;
    bool is_served;  // has its dump, until it was below
    bool is_refused; // could not have it yet
    uint64_t exits_seen;
};

// The gauge says `value`: true when a dump is due.
bool host_trigger_look(struct host_trigger *trigger, double value, uint64_t now_ns);

#endif

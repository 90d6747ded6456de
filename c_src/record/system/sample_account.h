// SPDX-License-Identifier: Apache-2.0
// The account of a recording's samples: what the source says was due goes into the loss
// counters of each event's output, as taken or as lost for a reason. Of a flight recorder
// only what it writes is due: kept samples count when they are written. One owner, one
// thread; a zeroed one has seen nothing.
#ifndef FLAME_PROF_RECORD_SYSTEM_SAMPLE_ACCOUNT_H
#define FLAME_PROF_RECORD_SYSTEM_SAMPLE_ACCOUNT_H

#include "capture/system/system_source.h"
#include "model/loss.h"
#include "record/system/event_output.h"

#include <stdbool.h>

struct sample_account {
    bool is_flight;
    struct system_ticks seen_ticks; // those already in the clock's losses
    struct system_event_counts seen_events[SYSTEM_EVENT_CNT];
};

// What the source has counted since the last time.
void sample_account_take(struct sample_account *account, const struct system_source *source,
                         struct event_output outputs[SYSTEM_EVENT_CNT]);

// A sample that came from the source and never reaches the file.
void sample_account_lose(const struct sample_account *account, struct event_output *output,
                         enum loss_reason reason);

// A sample that is about to be written.
void sample_account_write(const struct sample_account *account, struct event_output *output);

#endif

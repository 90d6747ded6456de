// SPDX-License-Identifier: Apache-2.0
// Reads event lines of perf-script text fast: the usual shapes here, all others by
// store/perf_script_line.h, which decides what a line means; and what that refuses, with
// fields left out (-F). Only the time must be there. Pure; texts point into the line.
#ifndef FLAME_PROF_IMPORT_SCRIPT_EVENT_H
#define FLAME_PROF_IMPORT_SCRIPT_EVENT_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { SCRIPT_MAX_METRICS = 64 };

struct script_metric {
    struct text name; // without "metric_"
    int64_t value;
    int64_t delta;
};

// What stood in front of a metric's value, in the last line that had one at this place.
enum { SCRIPT_LABEL_BYTES = 48 };
struct script_label {
    uint8_t len; // 0 = nothing
    char bytes[SCRIPT_LABEL_BYTES - 1];
};

struct script_event {
    struct text comm;  // or the status of a process; may be empty
    struct text event; // may be empty
    struct text rest;  // behind the event's name: a frame, a tracepoint's payload
    uint64_t time_ns;
    uint64_t period;
    uint32_t pid;
    uint32_t tid;
    uint32_t cpu;
    bool has_pid;
    bool has_tid;
    bool has_cpu;
    bool has_period;
    uint32_t metric_cnt;
    uint32_t dropped_cnt; // metrics beyond the limit
    uint32_t label_turn;  // another one: `labels` have changed
    struct script_metric metrics[SCRIPT_MAX_METRICS];
    struct script_label labels[SCRIPT_MAX_METRICS];
};

// False when it is no event line. `event` is zeroed before the first one, or what the
// line before gave: metrics in the same order are found sooner. While `label_turn` stays
// the same, so do the names of the metrics, place by place.
bool script_event_parse(struct text line, struct script_event *event);

#endif

// SPDX-License-Identifier: Apache-2.0
// Reads perf-script text line by line: ours, that of the 2021 flame_prof, and
// what `perf script` prints with its default fields, with -F +pid,+tid, without
// call chains, with or without periods. Input is hostile: what cannot be read is
// counted and skipped, memory is bounded. One owner, one thread.
#ifndef FLAME_PROF_STORE_PERF_SCRIPT_READER_H
#define FLAME_PROF_STORE_PERF_SCRIPT_READER_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PERF_SCRIPT_MAX_FRAMES = 2048, // per event; further ones are counted
    PERF_SCRIPT_MAX_METRICS = 64,  // the same
    PERF_SCRIPT_MAX_EVENT_BYTES = 4 << 20,
};

struct perf_script_metric {
    struct text name; // without "metric_"
    int64_t value;
    int64_t delta;
};

struct perf_script_frame {
    uint64_t address;
    struct text name; // without "+0xoffset" and ";line"
    uint32_t line;    // 0 = unknown
    struct text file;
};

enum perf_script_period { PERF_SCRIPT_NO_PERIOD, PERF_SCRIPT_HAS_PERIOD };

struct perf_script_event {
    struct text category; // comm or process status
    struct text process;  // the process as it stands in the line: "42/43", "0.151.0", "43"
    uint32_t pid;         // 0 where the line has only one number
    uint32_t tid;         // 2021: the number of the Erlang process
    uint32_t cpu;
    bool has_cpu; // else 0
    uint64_t time_ns;
    enum perf_script_period has_period;
    uint64_t period;
    struct text event_name;
    const struct perf_script_metric *metrics;
    uint32_t metric_cnt;
    const struct perf_script_frame *frames; // leaf first
    uint32_t frame_cnt;
};

struct perf_script_stats {
    uint64_t line_cnt;
    uint64_t event_cnt;
    uint64_t frame_cnt;
    uint64_t malformed_line_cnt;
    uint64_t dropped_cnt; // frames and metrics beyond the limits
};

// Both are called inside _line and _finish; everything is valid during the call.
struct perf_script_handler {
    void (*event)(void *context, const struct perf_script_event *event);
    void (*field)(void *context, struct text key, struct text value); // "# key: value"; may be NULL
    void *context;
};

struct perf_script_reader;

// NULL when out of memory.
struct perf_script_reader *perf_script_reader_create(const struct perf_script_handler *handler);
void perf_script_reader_destroy(struct perf_script_reader *reader);

// One line without its newline.
void perf_script_reader_line(struct perf_script_reader *reader, struct text line);

// Counts a line that its owner could not hand over (too long).
void perf_script_reader_skip(struct perf_script_reader *reader);

// The end of the input: hands over what is still open.
void perf_script_reader_finish(struct perf_script_reader *reader);

struct perf_script_stats perf_script_reader_stats(const struct perf_script_reader *reader);

#endif

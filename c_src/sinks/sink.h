// SPDX-License-Identifier: Apache-2.0
// The plug point of an output format: functions that append to a buffer.
// A sink never opens, writes or renames a file (sinks/recording.h does).
#ifndef FLAME_PROF_SINKS_SINK_H
#define FLAME_PROF_SINKS_SINK_H

#include "base/byte_buffer.h"
#include "model/loss.h"
#include "model/sample.h"
#include "model/session.h"

#include <stdbool.h>

// Of one file; what the footer says.
struct file_summary {
    const char *end_reason; // "complete", or why the file ends early
    uint64_t sample_cnt;
    uint64_t period_total_ns;
    struct metric_value metric_totals[METRIC_MAX_CNT];
    struct loss_snapshot losses; // since the file began
    uint64_t own_cpu_ns;         // of the recorder, since it began; 0 = not said
    uint64_t own_rss_bytes;      // resident at the end
};

// Those that append return false only when the buffer refused (limit, memory); the
// caller then truncates the buffer to where it was. `state` is what `create` made, NULL
// where there is no such function.
struct sink {
    const char *name;
    const char *suffix; // ".perf"
    // What it keeps of a recording, file by file; NULL where it keeps nothing. `create`
    // returns NULL when out of memory.
    void *(*create)(void);
    void (*destroy)(void *state);
    // What `sample` writes for a frame, for callers that see it again and again and
    // keep it as `frame.shown`; it may depend on nothing else. NULL where there is
    // no such thing.
    bool (*frame)(struct byte_buffer *out, const struct frame *frame);
    bool (*begin)(void *state, struct byte_buffer *out, const struct session *session);
    bool (*sample)(void *state, struct byte_buffer *out, const struct session *session,
                   const struct sample *sample);
    // The number, in the present file, of code frames (leaf first) on top of those that have
    // the number `below`, 0 being none; for callers that see the same stacks again and again.
    // NULL where stacks have no numbers.
    uint32_t (*stack)(void *state, uint32_t below, const struct frame *frames, uint32_t frame_cnt);
    // What changes while a file is written; between two samples.
    bool (*note)(void *state, struct byte_buffer *out, const char *key, const char *value);
    // Appends what it holds back; called before the buffer goes to the file. NULL where
    // it holds back nothing.
    bool (*flush)(void *state, struct byte_buffer *out);
    // What it has in memory of the present file, and grows with it. NULL where nothing does.
    uint64_t (*held_bytes)(const void *state);
    // Whether what was appended since the last call reached the file, or never will.
    // NULL where that makes no difference.
    void (*synced)(void *state, bool reached);
    bool (*end)(void *state, struct byte_buffer *out, const struct session *session,
                const struct file_summary *summary);
};

#endif

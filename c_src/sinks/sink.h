// SPDX-License-Identifier: Apache-2.0
// The plug point of an output format: three functions that append to a buffer.
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
};

// Each returns false only when the buffer refused (limit, memory); the caller
// then truncates the buffer to where it was.
struct sink {
    const char *name;
    const char *suffix; // ".perf"
    // What `sample` writes for a frame, for callers that see it again and again and
    // keep it as `frame.shown`; it may depend on nothing else. NULL where there is
    // no such thing.
    bool (*frame)(struct byte_buffer *out, const struct frame *frame);
    bool (*begin)(struct byte_buffer *out, const struct session *session);
    bool (*sample)(struct byte_buffer *out, const struct session *session,
                   const struct sample *sample);
    // What changes while a file is written; between two samples.
    bool (*note)(struct byte_buffer *out, const char *key, const char *value);
    bool (*end)(struct byte_buffer *out, const struct session *session,
                const struct file_summary *summary);
};

#endif

// SPDX-License-Identifier: Apache-2.0
// The records of one event on one CPU; and those of all together in the order of time.
// One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_STREAM_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_STREAM_H

#include "base/error.h"
#include "capture/system/perf_event.h"
#include "capture/system/perf_ring.h"
#include "capture/system/system_event.h"

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct was never open.
struct perf_stream {
    struct perf_ring ring; // open: there is a stream
    enum system_event event;
    uint32_t cpu;
    int owner_fd;    // of the buffer
    int sampling_fd; // of the CPU's event; -1: events of threads send here
    uint64_t opened_ns;
    uint64_t closed_ns;    // 0 = it still samples
    uint64_t throttled_ns; // since when the kernel takes no samples; 0 = it does
    uint64_t next_ns;      // of the next record
};

// Opens the buffer, as large as it may be up to `wish->ring_bytes`, and with `wish->tid`
// -1 and a period the CPU's event. False with errno, and nothing open.
bool perf_stream_open(struct perf_stream *stream, const struct perf_event_wish *wish);
// No more samples; those in the buffer stay.
void perf_stream_stop(struct perf_stream *stream);
// Harmless twice and on a zeroed struct.
void perf_stream_close(struct perf_stream *stream);
bool perf_stream_is_open(const struct perf_stream *stream);

// `record` is valid during the call.
typedef void (*perf_stream_handler)(void *context, struct perf_stream *stream,
                                    const struct perf_event_header *record);

// Hands over what there is up to the time `until_ns`, oldest first. `scratch`: see
// perf_ring_record().
void perf_streams_drain(struct perf_stream *streams, uint32_t cnt, uint64_t until_ns, void *scratch,
                        perf_stream_handler handler, void *context);

#endif

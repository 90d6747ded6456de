// SPDX-License-Identifier: Apache-2.0
// What becomes of a process from one look at it to the next, as metrics that the VM
// does not keep: collections, growth, waiting for a scheduler. One thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_PROGRESS_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_PROGRESS_H

#include "capture/beam/process_snapshot.h"
#include "model/metric.h"

#include <stdbool.h>
#include <stdint.h>

// All zero: never looked at.
struct process_progress {
    bool has_looked;
    bool has_sizes;
    int64_t reductions;
    uint64_t progress_ns; // when it was last seen to run or to have run
    uint64_t runnable_ns; // since when it is seen to wait for a scheduler; 0 = it does not
    int64_t minor_gcs;
    uint64_t old_heap;
    int64_t major_gcs;  // seen
    int64_t first_heap; // words, at the first look
    int64_t values[BEAM_METRIC_WALKER_CNT - BEAM_METRIC_CNT];
};

// Fills metrics[BEAM_METRIC_CNT .. BEAM_METRIC_WALKER_CNT - 1] of an array by id.
// `stack_depth` -1: not known this time, as sizes may be; such values stay.
// `run_queue_len` as the caller knows it.
void process_progress_look(struct process_progress *progress,
                           const struct process_snapshot *snapshot, int64_t stack_depth,
                           int64_t run_queue_len, uint64_t now_ns, struct metric_value *metrics);

#endif

// SPDX-License-Identifier: Apache-2.0
// Which process has the longest message queue, and which the largest heaps: one
// look at every process, without its help. Allocates nothing. A value is as seen in
// passing: confirm it with a snapshot before anything follows from it.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_EXTREMES_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_EXTREMES_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"

#include <stdint.h>

struct process_extreme {
    uint64_t id; // pid term; 0 = there is no process, or all have 0
    uint64_t value;
};

struct process_extremes {
    uint64_t process_cnt;
    struct process_extreme queue;  // messages
    struct process_extreme memory; // bytes: heaps and fragments
};

// Any thread that owns `reader`. About 60 ns per process with guarded loads.
void process_extremes_find(struct memory_reader *reader, const struct otp_layout *layout,
                           struct process_extremes *extremes_ret);

#endif

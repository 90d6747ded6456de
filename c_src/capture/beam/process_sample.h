// SPDX-License-Identifier: Apache-2.0
// What the walker puts into its ring: one process at one tick, nothing resolved.
// Atoms and addresses get names on the writer's thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_SAMPLE_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_SAMPLE_H

#include "capture/beam/process_status.h"
#include "model/metric.h"

#include <stdint.h>

enum stack_state {
    STACK_WHOLE,
    STACK_PARTIAL, // the process is running: as of its last switch or call into C
    STACK_MISSING, // heap on the move, exiting, unreadable
};

// How many are left out of a stack too deep to be read whole is not known.
#define GAP_FRAMES_UNKNOWN UINT32_MAX

struct process_sample {
    uint64_t time_ns;
    uint64_t period_ns;       // wall time this sample stands for
    uint64_t id;              // pid term
    uint64_t name;            // atom term, 0 = not registered
    uint64_t initial[3];      // module and function atom terms, arity
    uint32_t code_generation; // of the walker's view of the loaded code
    uint16_t status;          // enum process_status
    uint16_t stack;           // enum stack_state
    uint32_t state_flags;
    uint32_t frame_cnt;  // addresses in `frames`
    uint32_t gap_at;     // frames[gap_at] is where `gap_frames` are left out
    uint32_t gap_frames; // 0 = no gap
    struct metric_value metrics[BEAM_METRIC_CNT];
    uint64_t frames[]; // frames[0] is where it will go on, the rest are return addresses
};

#endif

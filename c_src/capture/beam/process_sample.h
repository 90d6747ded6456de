// SPDX-License-Identifier: Apache-2.0
// What the walker puts into its ring: one process at one tick, nothing resolved.
// Atoms and addresses get names on the writer's thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_PROCESS_SAMPLE_H
#define FLAME_PROF_CAPTURE_BEAM_PROCESS_SAMPLE_H

#include "capture/beam/dictionary_identity.h"
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
    uint64_t period_ns;                    // wall time this sample stands for
    uint64_t id;                           // pid term
    uint64_t name;                         // atom term, 0 = not registered
    uint64_t initial[3];                   // module and function atom terms, arity
    uint64_t parent;                       // pid term, 0 = unknown
    uint64_t group_leader;                 // pid term, 0 = unknown
    uint64_t ancestors[PROCESS_ANCESTORS]; // pid or atom terms, the parent first; 0 = no more
    uint32_t code_generation;              // of the walker's view of the loaded code
    uint16_t status;                       // enum process_status
    uint16_t stack;                        // enum stack_state
    uint32_t state_flags;
    uint32_t frame_cnt;  // addresses in `frames`
    uint32_t gap_at;     // frames[gap_at] is where `gap_frames` are left out
    uint32_t gap_frames; // 0 = no gap
    uint32_t label_cnt;  // words behind the frames, as term_copy has them
    struct metric_value metrics[BEAM_METRIC_WALKER_CNT]; // by id
    uint64_t frames[]; // frames[0] is where it will go on, the rest are return addresses
};

static inline uint32_t process_sample_bytes(const struct process_sample *sample)
{
    return (uint32_t)(sizeof *sample +
                      ((size_t)sample->frame_cnt + sample->label_cnt) * sizeof sample->frames[0]);
}

static inline const uint64_t *process_sample_label(const struct process_sample *sample)
{
    return sample->frames + sample->frame_cnt;
}

#endif

// SPDX-License-Identifier: Apache-2.0
// The stack of the sample that is being written: its names, or the number that its file has
// for it, where it was seen before. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_SAMPLE_STACK_H
#define FLAME_PROF_RECORD_SYSTEM_SAMPLE_STACK_H

#include "record/system/event_output.h"
#include "record/system/frame_names.h"
#include "record/system/known_stacks.h"

struct sample_stack {
    uint32_t number;          // in the file; 0 = all of its frames are in `named`
    uint32_t frame_cnt;       // of the whole stack
    uint32_t unnamed_cnt;     // frames that no symbol covers, of the whole stack
    struct named_stack named; // what had to be named
};

// Of `sample`, for the file that `output` has open; `hashes` are known_stacks_hash of it where
// the file numbers stacks. Names are valid until `names` names the next.
void sample_stack_name(struct sample_stack *stack, struct frame_names *names,
                       struct known_stacks *known, struct event_output *output,
                       const struct system_sample *sample, const struct stack_hashes *hashes,
                       uint64_t now_ns);

// The frames that the sink still needs: what was named where the stack has no number, none
// where it has. Behind them there is room for SYSTEM_CATEGORIES_MAX more.
struct frame *sample_stack_frames(struct sample_stack *stack, uint32_t *cnt_ret);

#endif

// SPDX-License-Identifier: Apache-2.0
// Stacks that an output file has numbers for: most of what is sampled is in the same place as
// before, or was called from the same place, and need not be named again. Known are whole
// stacks and their outer parts, by 64 bits of their addresses and of what else their frames
// depend on. Bounded: the least recently used is forgotten. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_KNOWN_STACKS_H
#define FLAME_PROF_RECORD_SYSTEM_KNOWN_STACKS_H

#include "capture/system/system_sample.h"
#include "record/system/stack_hashes.h"

#include <stdbool.h>
#include <stdint.h>

struct known_stacks;

// An outer part of a stack, as stack_hashes.h has them.
struct known_part {
    uint64_t good_until_ns; // what its frames are named
    uint32_t number;        // in the file
    uint16_t frame_cnt;
    uint16_t unnamed_cnt;
};

// NULL when out of memory.
struct known_stacks *known_stacks_create(void);
void known_stacks_destroy(struct known_stacks *known);

// What a sample's stack is looked for by. The sample's addresses are borrowed for this call.
void known_stacks_hash(const struct known_stacks *known, const struct system_sample *sample,
                       struct stack_hashes *hashes);

// It is going to be begun: has the memory for it near.
void known_stacks_fetch(const struct known_stacks *known, const struct stack_hashes *stack);

// Begins with a stack, borrowed until the next one is begun. Its frames are equal to those of
// another one when, besides what the hashes are of, `owner` (frame_names_begin) and `file`
// (one file of one output) are.
void known_stacks_begin(struct known_stacks *known, const struct stack_hashes *stack,
                        uint64_t owner, uint64_t file);

// The number of the largest part of it that is known and still good; where none is,
// stack_part_cnt, which is a part without frames.
uint32_t known_stacks_find(struct known_stacks *known, uint64_t now_ns, struct known_part *part);

// From now on this part is known.
void known_stacks_put(struct known_stacks *known, uint32_t number, const struct known_part *part);

#endif

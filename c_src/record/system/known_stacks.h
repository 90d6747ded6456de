// SPDX-License-Identifier: Apache-2.0
// Stacks that an output file has numbers for: most of what is sampled is in the same place as
// before, or was called from the same place, and need not be named again. Known are whole
// stacks and their outer parts, by 64 bits of their addresses and of what else their frames
// depend on. Bounded: the least recently used is forgotten. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_KNOWN_STACKS_H
#define FLAME_PROF_RECORD_SYSTEM_KNOWN_STACKS_H

#include "capture/system/system_sample.h"

#include <stdbool.h>
#include <stdint.h>

struct known_stacks;

// An outer part of a stack: its addresses from an index on up to the root.
struct known_part {
    uint64_t good_until_ns; // what its frames are named
    uint32_t number;        // in the file
    uint16_t frame_cnt;
    uint16_t unnamed_cnt;
};

// NULL when out of memory.
struct known_stacks *known_stacks_create(void);
void known_stacks_destroy(struct known_stacks *known);

// Begins with a sample's stack. Its frames are equal to those of another one when their
// addresses, `owner` (frame_names_begin), `file` (one file of one output) and the Erlang
// process are. The sample's addresses are borrowed for this call.
void known_stacks_begin(struct known_stacks *known, const struct system_sample *sample,
                        uint64_t owner, uint64_t file);

// The largest part of it that is known and still good: returns where it begins, an index of
// sample->frames; behind the last one where none is, which is a part without frames.
uint32_t known_stacks_find(struct known_stacks *known, uint64_t now_ns, struct known_part *part);

// Where the next larger part begins that is worth knowing; `from` itself where there is none.
uint32_t known_stacks_next(uint32_t from);

// From now on the part that begins at `from` is known.
void known_stacks_put(struct known_stacks *known, uint32_t from, const struct known_part *part);

#endif

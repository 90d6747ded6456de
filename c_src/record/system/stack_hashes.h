// SPDX-License-Identifier: Apache-2.0
// What a stack and its outer parts are known by: 64 bits of their addresses. The parts begin
// at the addresses 0, 1, 2, 4... 128, 192...: what differs between two stacks is near the leaf
// mostly.
#ifndef FLAME_PROF_RECORD_SYSTEM_STACK_HASHES_H
#define FLAME_PROF_RECORD_SYSTEM_STACK_HASHES_H

#include "capture/system/system_sample.h"

#include <stdint.h>

enum { STACK_PARTS_MAX = 12 };

// By number of the part, the whole stack first. Zeroed: of no stack, as where there is no
// address.
struct stack_hashes {
    uint32_t address_cnt;
    uint64_t parts[STACK_PARTS_MAX];
};

// Parts of two samples have the same hash when their addresses, the address space and the
// Erlang process are the same; `seed` is a secret, or somebody could choose his addresses so
// that his stack is taken for another. The sample's addresses are borrowed for this call.
void stack_hashes_make(struct stack_hashes *hashes, const struct system_sample *sample,
                       uint64_t seed);

// One step: one to one in both; the upper half of what comes of several depends on every bit.
static inline uint64_t stack_hashes_mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * 0x9E3779B97F4A7C15ULL;
}

// The last step, after which all bits are as good; never 0.
static inline uint64_t stack_hashes_finish(uint64_t hash)
{
    hash ^= hash >> 32;
    return hash == 0 ? 1 : hash;
}

// The address at which a part begins, an index of sample->frames.
static inline uint32_t stack_part_begin(uint32_t part)
{
    enum { LAST_DOUBLED = 8, STEP = 64 };
    return part == 0              ? 0
           : part <= LAST_DOUBLED ? 1U << (part - 1)
                                  : (1U << (LAST_DOUBLED - 1)) + (part - LAST_DOUBLED) * STEP;
}

// How many parts a stack of so many addresses has.
static inline uint32_t stack_part_cnt(uint32_t address_cnt)
{
    uint32_t cnt = 0;
    while (cnt < STACK_PARTS_MAX && stack_part_begin(cnt) < address_cnt) {
        cnt++;
    }
    return cnt;
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Which slots of a fixed array are taken, given out as ranges. First fit from where
// the last one was found. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SLOT_RANGE_H
#define FLAME_PROF_CAPTURE_SYSTEM_SLOT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct has no slots.
struct slot_range {
    uint64_t *taken; // a bit per slot
    uint32_t slot_cnt;
    uint32_t next;
};

// `slot_cnt` is a multiple of 64. False when out of memory.
bool slot_range_init(struct slot_range *slots, uint32_t slot_cnt);
// Harmless twice and on a zeroed struct.
void slot_range_deinit(struct slot_range *slots);

// False when no `cnt` (> 0) slots in a row are free.
bool slot_range_take(struct slot_range *slots, uint32_t cnt, uint32_t *first);
void slot_range_give(struct slot_range *slots, uint32_t first, uint32_t cnt);

#endif

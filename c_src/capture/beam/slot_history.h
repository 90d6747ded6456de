// SPDX-License-Identifier: Apache-2.0
// What the process of each table slot showed at the last pass, for the figures
// that are differences. Per slot 2 bytes, and 4 for each counter kept; of the
// queue lengths only those pages exist that hold one other than 0. Walker thread
// only.
#ifndef FLAME_PROF_CAPTURE_BEAM_SLOT_HISTORY_H
#define FLAME_PROF_CAPTURE_BEAM_SLOT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum slot_counter { SLOT_REDUCTIONS, SLOT_QUEUE_LEN, SLOT_COUNTER_CNT };

struct slot_history {
    uint16_t *tags;                       // of the process that was seen in the slot, 0 = none yet
    uint32_t *counters[SLOT_COUNTER_CNT]; // low 32 bits; NULL = not kept
    uint64_t slot_cnt;
};

// `kept` is a set of bits, 1 << enum slot_counter; with none of them nothing is
// allocated. False when out of memory.
bool slot_history_init(struct slot_history *history, uint64_t slot_cnt, unsigned kept);
void slot_history_deinit(struct slot_history *history);

// Remembers who is in the slot. False when it was somebody else: its counters
// then begin at 0. Before slot_history_advance, at each pass.
bool slot_history_meet(struct slot_history *history, uint64_t slot, uint64_t id);

// What the counter was, which becomes `now`. `counter` must be kept.
uint32_t slot_history_advance(struct slot_history *history, enum slot_counter counter,
                              uint64_t slot, uint32_t now);

#endif

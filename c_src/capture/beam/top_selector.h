// SPDX-License-Identifier: Apache-2.0
// Finds the N processes that used the most reductions since the last pass over
// the process table. A pass is done in slices within a time budget, so that it
// never holds up a tick; it sorts and copies nothing but the best N. Memory:
// 8 bytes per table slot in use (4 KiB pages, touched where processes are), plus
// 16 per chosen process. Walker thread only.
#ifndef FLAME_PROF_CAPTURE_BEAM_TOP_SELECTOR_H
#define FLAME_PROF_CAPTURE_BEAM_TOP_SELECTOR_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SELECTOR_MAX_EXCLUDED = 16 };

struct ranked_process {
    uint64_t id;
    uint64_t reductions; // since the last pass, or since it was spawned
};

struct slot_history;

struct top_selector {
    const struct otp_layout *layout; // borrowed
    struct slot_history *history;    // by slot
    size_t history_bytes;
    struct ranked_process *heap; // smallest first
    uint64_t *ids;               // result of the last pass
    uint32_t top_cnt;
    uint32_t found_cnt;
    uint32_t result_cnt;
    uint64_t next_slot;
    uint64_t pass_cnt;      // completed
    uint64_t pass_ns;       // time spent reading in the running pass
    uint64_t last_pass_ns;  // and in the last complete one
    uint64_t processes_cnt; // seen in the last complete pass
    uint64_t seen_cnt;
    uint64_t excluded[SELECTOR_MAX_EXCLUDED]; // pid terms never chosen
    uint32_t excluded_cnt;
};

// `top_cnt` > 0. False when out of memory.
bool top_selector_init(struct top_selector *selector, const struct otp_layout *layout,
                       uint32_t top_cnt);
void top_selector_deinit(struct top_selector *selector);

void top_selector_exclude(struct top_selector *selector, uint64_t id);

// Goes on with the pass for about `budget_ns`. True when it is complete:
// `selector->ids` then has `result_cnt` pid terms, in no order.
bool top_selector_step(struct top_selector *selector, struct memory_reader *reader,
                       uint64_t budget_ns);

#endif

// SPDX-License-Identifier: Apache-2.0
// Finds the N processes that come first by a criterion, or by several in one pass
// over the process table. A pass is done in slices within a time budget, so that
// it never holds up a tick; it sorts and copies nothing but the best N. Memory: the
// slot history of the criteria that compare two passes (at most 6 bytes a slot for
// one of them), and 24 bytes per place. Walker thread only.
#ifndef FLAME_PROF_CAPTURE_BEAM_TOP_SELECTOR_H
#define FLAME_PROF_CAPTURE_BEAM_TOP_SELECTOR_H

#include "capture/beam/cpu_usage.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/selection_criterion.h"
#include "capture/beam/slot_history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SELECTOR_MAX_EXCLUDED = 32,
    SELECTOR_MAX_GOALS = SELECTION_CRITERION_CNT,
    // Passes in a row that may leave the rest of the table out.
    SELECTOR_MAX_SHORT_PASSES = 7,
};

// The first `top_cnt` by a criterion.
struct selection_goal {
    enum selection_criterion criterion;
    uint32_t top_cnt;
};

struct ranked_process {
    uint64_t id;
    uint64_t figure; // of the goal's criterion, above 0
};

struct ranking {
    struct selection_goal goal;
    struct ranked_process *heap; // smallest first
    uint32_t cnt;
};

struct top_selector {
    const struct otp_layout *layout; // borrowed
    struct selection_plan plan;
    struct slot_history history;
    struct cpu_usage *cpu_usage;     // borrowed; NULL: nobody has used any
    struct cpu_usage_view *cpu_view; // of the running pass; NULL without that criterion
    struct ranking rankings[SELECTOR_MAX_GOALS];
    uint32_t goal_cnt;
    uint64_t *ids; // result of the last pass
    uint32_t result_cnt;
    uint64_t next_slot;
    uint64_t pass_cnt;      // completed
    uint64_t pass_ns;       // time spent reading in the running pass
    uint64_t last_pass_ns;  // and in the last complete one
    uint64_t processes_cnt; // seen in the last complete pass
    uint64_t seen_cnt;
    uint64_t expected_cnt; // processes that the VM has, 0 = unknown
    uint64_t used_slots;   // up to and with the last one used, in the last full pass
    uint64_t used_so_far;
    uint32_t short_pass_cnt;                  // since the last full one
    uint64_t excluded[SELECTOR_MAX_EXCLUDED]; // pid terms never chosen
    uint32_t excluded_cnt;
};

// `goal_cnt` from 1 to SELECTOR_MAX_GOALS, each with `top_cnt` > 0 and a criterion
// of its own; `cpu_usage` (NULL is fine) is lent. False when out of memory.
bool top_selector_init(struct top_selector *selector, const struct otp_layout *layout,
                       const struct selection_goal *goals, uint32_t goal_cnt,
                       struct cpu_usage *cpu_usage);
void top_selector_deinit(struct top_selector *selector);

// From the next pass on. Beyond SELECTOR_MAX_EXCLUDED the one excluded last gives
// way: those excluded first are there for good.
void top_selector_exclude(struct top_selector *selector, uint64_t id);

// How many processes the VM says it has. A pass then ends where the last full one
// saw the last process, if it has seen so many by there: the table may be far
// larger than what is used of it. Every eighth pass is a full one in any case, as
// the number is that of another moment.
void top_selector_expect(struct top_selector *selector, uint64_t process_cnt);

// Goes on with the pass for about `budget_ns`. True when it is complete:
// `selector->ids` then has `result_cnt` pid terms, each once, in no order.
bool top_selector_step(struct top_selector *selector, struct memory_reader *reader,
                       uint64_t budget_ns);

#endif

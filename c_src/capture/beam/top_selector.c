// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/top_selector.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

enum {
    STEP_PROCESSES = 32,
    STEP_SLOTS = 512, // a page of the table
    CACHE_LINE_BYTES = 64,
};

// ---- life ---------------------------------------------------------------------

static unsigned criteria_of(const struct selection_goal *goals, uint32_t goal_cnt)
{
    unsigned criteria = 0;
    for (uint32_t i = 0; i < goal_cnt; i++) {
        criteria |= 1U << goals[i].criterion;
    }
    return criteria;
}

static unsigned counters_of(unsigned criteria)
{
    unsigned reductions = criteria >> SELECT_BY_REDUCTIONS & 1;
    unsigned queue_len = criteria >> SELECT_BY_MESSAGE_QUEUE_GROWTH & 1;
    return reductions << SLOT_REDUCTIONS | queue_len << SLOT_QUEUE_LEN;
}

static bool allocate_rankings(struct top_selector *selector, const struct selection_goal *goals)
{
    size_t top_cnt = 1;
    for (uint32_t i = 0; i < selector->goal_cnt; i++) {
        struct ranking *ranking = &selector->rankings[i];
        *ranking = (struct ranking){.goal = goals[i],
                                    .heap = calloc(goals[i].top_cnt, sizeof *ranking->heap)};
        top_cnt += goals[i].top_cnt;
        if (ranking->heap == NULL) {
            return false;
        }
    }
    selector->ids = calloc(top_cnt, sizeof *selector->ids);
    return selector->ids != NULL;
}

bool top_selector_init(struct top_selector *selector, const struct otp_layout *layout,
                       const struct selection_goal *goals, uint32_t goal_cnt,
                       struct cpu_usage *cpu_usage)
{
    assert(goal_cnt > 0 && goal_cnt <= SELECTOR_MAX_GOALS);
    unsigned criteria = criteria_of(goals, goal_cnt);
    bool by_cpu = (criteria >> SELECT_BY_CPU & 1) != 0 && cpu_usage != NULL;
    *selector = (struct top_selector){
        .layout = layout,
        .goal_cnt = goal_cnt,
        .cpu_usage = cpu_usage,
        .cpu_view = by_cpu ? calloc(1, sizeof *selector->cpu_view) : NULL,
    };
    selection_plan_init(&selector->plan, layout, criteria);
    if (by_cpu != (selector->cpu_view != NULL) || !allocate_rankings(selector, goals) ||
        !slot_history_init(&selector->history, layout->slot_cnt, counters_of(criteria))) {
        top_selector_deinit(selector);
        return false;
    }
    return true;
}

void top_selector_deinit(struct top_selector *selector)
{
    slot_history_deinit(&selector->history);
    for (uint32_t i = 0; i < selector->goal_cnt; i++) {
        free(selector->rankings[i].heap);
    }
    free(selector->ids);
    free(selector->cpu_view);
    *selector = (struct top_selector){0};
}

void top_selector_exclude(struct top_selector *selector, uint64_t id)
{
    if (selector->excluded_cnt < SELECTOR_MAX_EXCLUDED) {
        selector->excluded_cnt++;
    }
    selector->excluded[selector->excluded_cnt - 1] = id;
}

void top_selector_expect(struct top_selector *selector, uint64_t process_cnt)
{
    selector->expected_cnt = process_cnt;
}

// ---- ranking ------------------------------------------------------------------

static bool is_excluded(const struct top_selector *selector, uint64_t id)
{
    for (uint32_t i = 0; i < selector->excluded_cnt; i++) {
        if (selector->excluded[i] == id) {
            return true;
        }
    }
    return false;
}

static void sift_down(struct ranked_process *heap, uint32_t cnt, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < cnt && heap[child + 1].figure < heap[child].figure) {
            child++;
        }
        if (child >= cnt || heap[at].figure <= heap[child].figure) {
            return;
        }
        struct ranked_process swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

static void sift_up(struct ranked_process *heap, uint32_t at)
{
    while (at > 0 && heap[(at - 1) / 2].figure > heap[at].figure) {
        struct ranked_process swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void offer(const struct top_selector *selector, struct ranking *ranking,
                  struct ranked_process process)
{
    bool full = ranking->cnt == ranking->goal.top_cnt;
    if (process.figure <= (full ? ranking->heap[0].figure : 0) ||
        is_excluded(selector, process.id)) {
        return;
    }
    if (full) {
        ranking->heap[0] = process;
        sift_down(ranking->heap, ranking->cnt, 0);
    } else {
        ranking->heap[ranking->cnt] = process;
        sift_up(ranking->heap, ranking->cnt++);
    }
}

struct candidate {
    uint64_t slot;
    uint64_t address;
    uint64_t image[SELECTION_MAX_WORDS];
};

static uint64_t change(struct top_selector *selector, enum slot_counter counter, uint64_t slot,
                       uint64_t now)
{
    uint32_t before = slot_history_advance(&selector->history, counter, slot, (uint32_t)now);
    return (uint32_t)now - before;
}

static uint64_t reductions_done(struct top_selector *selector, uint64_t slot, bool is_known,
                                uint64_t reductions)
{
    uint64_t done = change(selector, SLOT_REDUCTIONS, slot, reductions);
    return is_known ? done : reductions;
}

static uint64_t queue_growth(struct top_selector *selector, uint64_t slot, uint64_t len)
{
    int32_t growth = (int32_t)change(selector, SLOT_QUEUE_LEN, slot, len);
    return growth > 0 ? (uint64_t)growth : 0;
}

static uint64_t figure_of(struct top_selector *selector, struct memory_reader *reader,
                          enum selection_criterion criterion, const struct candidate *candidate,
                          bool is_known)
{
    const struct selection_plan *plan = &selector->plan;
    const uint64_t *image = candidate->image;
    switch (criterion) {
    case SELECT_BY_REDUCTIONS:
        return reductions_done(selector, candidate->slot, is_known,
                               selection_word(plan, image, LAYOUT_REDS));
    case SELECT_BY_MESSAGE_QUEUE_LEN:
        return selection_queue_len(plan, image);
    case SELECT_BY_MESSAGE_QUEUE_GROWTH:
        return queue_growth(selector, candidate->slot, selection_queue_len(plan, image));
    case SELECT_BY_MEMORY:
        return selection_memory_bytes(plan, selector->layout, reader, candidate->address, image);
    case SELECT_BY_BINARY_VHEAP:
        return selection_binary_vheap_words(plan, image);
    case SELECT_BY_CPU:
        return selector->cpu_view == NULL
                   ? 0
                   : cpu_usage_of(selector->cpu_view, selection_word(plan, image, LAYOUT_ID));
    default:
        return 0;
    }
}

static void rank(struct top_selector *selector, struct memory_reader *reader,
                 const struct candidate *candidate)
{
    uint64_t id = selection_word(&selector->plan, candidate->image, LAYOUT_ID);
    bool is_known = slot_history_meet(&selector->history, candidate->slot, id);
    for (uint32_t i = 0; i < selector->goal_cnt; i++) {
        struct ranking *ranking = &selector->rankings[i];
        uint64_t figure = figure_of(selector, reader, ranking->goal.criterion, candidate, is_known);
        offer(selector, ranking, (struct ranked_process){id, figure});
    }
    selector->seen_cnt++;
    selector->used_so_far = candidate->slot + 1;
}

// ---- reading ------------------------------------------------------------------

// On their way into the cache while others are collected. Of a dead address a
// prefetch does nothing.
static void prefetch(const struct selection_plan *plan, uint64_t address)
{
    for (uint32_t i = 0; i < plan->range_cnt; i++) {
        const struct selection_range *range = &plan->ranges[i];
        uint64_t from = address + (uint64_t)range->offset;
        uint64_t bytes = from % CACHE_LINE_BYTES + range->word_cnt * 8ULL;
        for (uint64_t at = 0; at < bytes; at += CACHE_LINE_BYTES) {
            __builtin_prefetch((const void *)(uintptr_t)(from + at));
        }
    }
}

static size_t collect(struct top_selector *selector, struct candidate *candidates, size_t max_cnt)
{
    const volatile uint64_t *table =
        (const volatile uint64_t *)(uintptr_t)selector->layout->table_address;
    size_t cnt = 0;
    // Bounded also over empty slots.
    uint64_t end = selector->next_slot + STEP_SLOTS;
    end = end < selector->layout->slot_cnt ? end : selector->layout->slot_cnt;
    while (selector->next_slot < end && cnt < max_cnt) {
        uint64_t slot = selector->next_slot++;
        uint64_t address = table[slot];
        if (address != 0 && address % 8 == 0) {
            candidates[cnt].slot = slot;
            candidates[cnt++].address = address;
            prefetch(&selector->plan, address);
        }
    }
    return cnt;
}

static void plan_reads(const struct selection_plan *plan, struct candidate *candidate,
                       struct memory_read *reads)
{
    for (uint32_t i = 0; i < plan->range_cnt; i++) {
        const struct selection_range *range = &plan->ranges[i];
        reads[i] = (struct memory_read){candidate->address + (uint64_t)range->offset,
                                        &candidate->image[range->at], range->word_cnt, false};
    }
}

static bool all_ok(const struct memory_read *reads, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (!reads[i].ok) {
            return false;
        }
    }
    return true;
}

static void read_candidates(struct top_selector *selector, struct memory_reader *reader,
                            struct candidate *candidates, size_t cnt)
{
    const struct selection_plan *plan = &selector->plan;
    struct memory_read reads[MEMORY_READER_MAX_BATCH];
    for (size_t i = 0; i < cnt; i++) {
        plan_reads(plan, &candidates[i], &reads[i * plan->range_cnt]);
    }
    (void)memory_reader_batch(reader, reads, cnt * plan->range_cnt);
    for (size_t i = 0; i < cnt; i++) {
        // A slot that is being filled or freed leads elsewhere: its id does not lead back.
        bool ours = all_ok(&reads[i * plan->range_cnt], plan->range_cnt) &&
                    otp_layout_slot(selector->layout,
                                    selection_word(plan, candidates[i].image, LAYOUT_ID)) ==
                        candidates[i].slot;
        if (ours) {
            rank(selector, reader, &candidates[i]);
        }
    }
}

// ---- passes -------------------------------------------------------------------

static bool may_be_short(const struct top_selector *selector)
{
    return selector->expected_cnt > 0 && selector->used_slots > 0 &&
           selector->short_pass_cnt < SELECTOR_MAX_SHORT_PASSES;
}

static bool is_through(const struct top_selector *selector)
{
    return selector->next_slot >= selector->layout->slot_cnt ||
           (selector->next_slot >= selector->used_slots &&
            selector->seen_cnt >= selector->expected_cnt && may_be_short(selector));
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint32_t without_doubles(uint64_t *ids, uint32_t cnt)
{
    uint32_t kept = 0;
    qsort(ids, cnt, sizeof *ids, by_id);
    for (uint32_t i = 0; i < cnt; i++) {
        if (i == 0 || ids[i] != ids[i - 1]) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

static void publish(struct top_selector *selector)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < selector->goal_cnt; i++) {
        struct ranking *ranking = &selector->rankings[i];
        for (uint32_t k = 0; k < ranking->cnt; k++) {
            selector->ids[cnt++] = ranking->heap[k].id;
        }
        ranking->cnt = 0;
    }
    selector->result_cnt = selector->goal_cnt == 1 ? cnt : without_doubles(selector->ids, cnt);
}

static void complete_pass(struct top_selector *selector)
{
    publish(selector);
    if (selector->next_slot < selector->layout->slot_cnt) {
        selector->short_pass_cnt++;
    } else {
        selector->short_pass_cnt = 0;
        selector->used_slots = selector->used_so_far;
    }
    selector->used_so_far = 0;
    selector->next_slot = 0;
    selector->pass_cnt++;
    selector->last_pass_ns = selector->pass_ns;
    selector->pass_ns = 0;
    selector->processes_cnt = selector->seen_cnt;
    selector->seen_cnt = 0;
}

bool top_selector_step(struct top_selector *selector, struct memory_reader *reader,
                       uint64_t budget_ns)
{
    uint32_t max_cnt = MEMORY_READER_MAX_BATCH / selector->plan.range_cnt;
    max_cnt = max_cnt < STEP_PROCESSES ? max_cnt : STEP_PROCESSES;
    uint64_t start_ns = clock_monotonic_ns();
    uint64_t now_ns = start_ns;
    if (selector->next_slot == 0 && selector->cpu_view != NULL) {
        cpu_usage_take(selector->cpu_usage, selector->cpu_view);
    }
    while (!is_through(selector) && now_ns - start_ns < budget_ns) {
        struct candidate candidates[STEP_PROCESSES];
        size_t cnt = collect(selector, candidates, max_cnt);
        if (cnt > 0) {
            read_candidates(selector, reader, candidates, cnt);
        }
        now_ns = clock_monotonic_ns();
    }
    selector->pass_ns += now_ns - start_ns;
    if (!is_through(selector)) {
        return false;
    }
    complete_pass(selector);
    return true;
}

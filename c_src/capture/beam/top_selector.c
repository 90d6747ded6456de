// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/top_selector.h"

#include "base/clock.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { STEP_PROCESSES = 32 };
_Static_assert(STEP_PROCESSES * 2 <= MEMORY_READER_MAX_BATCH, "two reads per process");

// Reductions at the last pass (low 32 bits) of the process that had this tag.
struct slot_history {
    uint32_t tag;
    uint32_t reductions;
};

bool top_selector_init(struct top_selector *selector, const struct otp_layout *layout,
                       uint32_t top_cnt)
{
    size_t history_bytes = layout->slot_cnt * sizeof(struct slot_history);
    void *history = mmap(NULL, history_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *selector = (struct top_selector){
        .layout = layout,
        .history = history == MAP_FAILED ? NULL : history,
        .history_bytes = history_bytes,
        .heap = calloc(top_cnt, sizeof *selector->heap),
        .ids = calloc(top_cnt, sizeof *selector->ids),
        .top_cnt = top_cnt,
    };
    if (selector->history == NULL || selector->heap == NULL || selector->ids == NULL) {
        top_selector_deinit(selector);
        return false;
    }
    return true;
}

void top_selector_deinit(struct top_selector *selector)
{
    if (selector->history != NULL) {
        (void)munmap(selector->history, selector->history_bytes);
    }
    free(selector->heap);
    free(selector->ids);
    *selector = (struct top_selector){0};
}

void top_selector_exclude(struct top_selector *selector, uint64_t id)
{
    if (selector->excluded_cnt < SELECTOR_MAX_EXCLUDED) {
        selector->excluded[selector->excluded_cnt++] = id;
    }
}

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
        if (child + 1 < cnt && heap[child + 1].reductions < heap[child].reductions) {
            child++;
        }
        if (child >= cnt || heap[at].reductions <= heap[child].reductions) {
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
    while (at > 0 && heap[(at - 1) / 2].reductions > heap[at].reductions) {
        struct ranked_process swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void offer(struct top_selector *selector, struct ranked_process process)
{
    if (process.reductions == 0 || is_excluded(selector, process.id)) {
        return;
    }
    if (selector->found_cnt < selector->top_cnt) {
        selector->heap[selector->found_cnt] = process;
        sift_up(selector->heap, selector->found_cnt++);
    } else if (process.reductions > selector->heap[0].reductions) {
        selector->heap[0] = process;
        sift_down(selector->heap, selector->top_cnt, 0);
    }
}

static void rank(struct top_selector *selector, uint64_t slot, uint64_t id, uint64_t reductions)
{
    struct slot_history *history = &selector->history[slot];
    uint32_t tag = (uint32_t)(id ^ (id >> 32));
    bool same = history->tag == tag;
    uint64_t delta = same ? (uint32_t)reductions - history->reductions : reductions;
    *history = (struct slot_history){tag, (uint32_t)reductions};
    selector->seen_cnt++;
    offer(selector, (struct ranked_process){id, delta});
}

struct candidate {
    uint64_t slot;
    uint64_t address;
    uint64_t id;
    uint64_t reductions;
};

static size_t collect(struct top_selector *selector, struct candidate *candidates)
{
    const volatile uint64_t *table =
        (const volatile uint64_t *)(uintptr_t)selector->layout->table_address;
    size_t cnt = 0;
    // Bounded also over empty slots: one page of the table at most.
    uint64_t end = selector->next_slot + 512;
    end = end < selector->layout->slot_cnt ? end : selector->layout->slot_cnt;
    while (selector->next_slot < end && cnt < STEP_PROCESSES) {
        uint64_t slot = selector->next_slot++;
        uint64_t address = table[slot];
        if (address != 0 && address % 8 == 0) {
            candidates[cnt++] = (struct candidate){.slot = slot, .address = address};
        }
    }
    return cnt;
}

static void read_candidates(struct top_selector *selector, struct memory_reader *reader,
                            struct candidate *candidates, size_t cnt)
{
    const struct otp_layout *layout = selector->layout;
    struct memory_read reads[2 * STEP_PROCESSES];
    for (size_t i = 0; i < cnt; i++) {
        struct candidate *candidate = &candidates[i];
        reads[2 * i] = (struct memory_read){
            candidate->address + (uint64_t)layout->offset[LAYOUT_ID], &candidate->id, 1, false};
        reads[2 * i + 1] =
            (struct memory_read){candidate->address + (uint64_t)layout->offset[LAYOUT_REDS],
                                 &candidate->reductions, 1, false};
    }
    (void)memory_reader_batch(reader, reads, 2 * cnt);
    for (size_t i = 0; i < cnt; i++) {
        // A slot that is being filled or freed leads elsewhere: its id does not lead back.
        bool ours = reads[2 * i].ok && reads[2 * i + 1].ok &&
                    otp_layout_slot(layout, candidates[i].id) == candidates[i].slot;
        if (ours) {
            rank(selector, candidates[i].slot, candidates[i].id, candidates[i].reductions);
        }
    }
}

static void complete_pass(struct top_selector *selector)
{
    for (uint32_t i = 0; i < selector->found_cnt; i++) {
        selector->ids[i] = selector->heap[i].id;
    }
    selector->result_cnt = selector->found_cnt;
    selector->found_cnt = 0;
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
    uint64_t start_ns = clock_monotonic_ns();
    uint64_t now_ns = start_ns;
    while (selector->next_slot < selector->layout->slot_cnt && now_ns - start_ns < budget_ns) {
        struct candidate candidates[STEP_PROCESSES];
        size_t cnt = collect(selector, candidates);
        if (cnt > 0) {
            read_candidates(selector, reader, candidates, cnt);
        }
        now_ns = clock_monotonic_ns();
    }
    selector->pass_ns += now_ns - start_ns;
    if (selector->next_slot < selector->layout->slot_cnt) {
        return false;
    }
    complete_pass(selector);
    return true;
}

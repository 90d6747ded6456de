// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/process_extremes.h"

#include <stdbool.h>
#include <stddef.h>

static const enum layout_field FIELDS[] = {LAYOUT_ID,      LAYOUT_MSGQ_LEN, LAYOUT_INQ_LEN,
                                           LAYOUT_HEAP_SZ, LAYOUT_OLD_HEAP, LAYOUT_OLD_HEND,
                                           LAYOUT_MBUF_SZ};
enum {
    FIELD_CNT = sizeof FIELDS / sizeof FIELDS[0],
    STEP_PROCESSES = MEMORY_READER_MAX_BATCH / FIELD_CNT
};
#define MAX_PLAUSIBLE (1ULL << 44) // words, messages: what is more was read while it changed

struct candidate {
    uint64_t slot;
    uint64_t address;
    union {
        uint64_t words[FIELD_CNT]; // as in FIELDS
        struct {
            uint64_t id, msgq_len, inq_len, heap_sz, old_heap, old_hend, mbuf_sz;
        };
    };
};

static void offer(struct process_extreme *extreme, uint64_t id, uint64_t value)
{
    if (value > extreme->value) {
        *extreme = (struct process_extreme){id, value};
    }
}

static void consider(struct process_extremes *extremes, const struct candidate *candidate)
{
    // Either part of the queue's length may be an offset, negative for a while.
    int64_t messages = (int64_t)(candidate->msgq_len + candidate->inq_len);
    uint64_t old_words = (candidate->old_hend - candidate->old_heap) / 8;
    uint64_t words = candidate->heap_sz + old_words + candidate->mbuf_sz;
    extremes->process_cnt++;
    if (messages > 0 && (uint64_t)messages < MAX_PLAUSIBLE) {
        offer(&extremes->queue, candidate->id, (uint64_t)messages);
    }
    if (words < MAX_PLAUSIBLE) {
        offer(&extremes->memory, candidate->id, words * 8);
    }
}

static void read_candidates(struct memory_reader *reader, const struct otp_layout *layout,
                            struct candidate *candidates, size_t cnt,
                            struct process_extremes *extremes)
{
    struct memory_read reads[STEP_PROCESSES * FIELD_CNT];
    for (size_t i = 0; i < cnt * FIELD_CNT; i++) {
        struct candidate *candidate = &candidates[i / FIELD_CNT];
        uint64_t offset = (uint64_t)layout->offset[FIELDS[i % FIELD_CNT]];
        reads[i] = (struct memory_read){candidate->address + offset,
                                        &candidate->words[i % FIELD_CNT], 1, false};
    }
    (void)memory_reader_batch(reader, reads, cnt * FIELD_CNT);
    for (size_t i = 0; i < cnt; i++) {
        bool whole = true;
        for (size_t field = 0; field < FIELD_CNT; field++) {
            whole = whole && reads[i * FIELD_CNT + field].ok;
        }
        // A slot that is being filled or freed leads elsewhere: its id does not lead back.
        if (whole && otp_layout_slot(layout, candidates[i].id) == candidates[i].slot) {
            consider(extremes, &candidates[i]);
        }
    }
}

void process_extremes_find(struct memory_reader *reader, const struct otp_layout *layout,
                           struct process_extremes *extremes_ret)
{
    const volatile uint64_t *table = (const volatile uint64_t *)(uintptr_t)layout->table_address;
    struct process_extremes extremes = {0};
    struct candidate candidates[STEP_PROCESSES];
    size_t cnt = 0;
    for (uint64_t slot = 0; slot < layout->slot_cnt; slot++) {
        uint64_t address = table[slot];
        if (address != 0 && address % 8 == 0) {
            candidates[cnt++] = (struct candidate){.slot = slot, .address = address};
        }
        if (cnt == STEP_PROCESSES || (cnt > 0 && slot + 1 == layout->slot_cnt)) {
            read_candidates(reader, layout, candidates, cnt, &extremes);
            cnt = 0;
        }
    }
    *extremes_ret = extremes;
}

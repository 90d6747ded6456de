// SPDX-License-Identifier: Apache-2.0
#include "capture/system/slot_range.h"

#include <stdlib.h>

bool slot_range_init(struct slot_range *slots, uint32_t slot_cnt)
{
    *slots = (struct slot_range){.slot_cnt = slot_cnt};
    slots->taken = calloc(slot_cnt / 64, sizeof *slots->taken);
    return slots->taken != NULL;
}

void slot_range_deinit(struct slot_range *slots)
{
    free(slots->taken);
    *slots = (struct slot_range){0};
}

static bool is_taken(const struct slot_range *slots, uint32_t slot)
{
    return (slots->taken[slot / 64] >> slot % 64 & 1) != 0;
}

static bool find(const struct slot_range *slots, uint32_t from, uint32_t cnt, uint32_t *first)
{
    uint32_t free_cnt = 0;
    for (uint32_t slot = from; slot < slots->slot_cnt; slot++) {
        if (slot % 64 == 0 && slots->taken[slot / 64] == UINT64_MAX) {
            free_cnt = 0;
            slot += 63;
            continue;
        }
        free_cnt = is_taken(slots, slot) ? 0 : free_cnt + 1;
        if (free_cnt == cnt) {
            *first = slot + 1 - cnt;
            return true;
        }
    }
    return false;
}

static void flip(struct slot_range *slots, uint32_t first, uint32_t cnt)
{
    for (uint32_t slot = first; slot < first + cnt; slot++) {
        slots->taken[slot / 64] ^= 1ULL << slot % 64;
    }
}

bool slot_range_take(struct slot_range *slots, uint32_t cnt, uint32_t *first)
{
    if (!find(slots, slots->next, cnt, first) && !find(slots, 0, cnt, first)) {
        return false;
    }
    flip(slots, *first, cnt);
    slots->next = *first + cnt;
    return true;
}

void slot_range_give(struct slot_range *slots, uint32_t first, uint32_t cnt)
{
    flip(slots, first, cnt);
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/slot_history.h"

#include <sys/mman.h>

static void *map_zeros(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void unmap(void *at, size_t bytes)
{
    if (at != NULL) {
        (void)munmap(at, bytes);
    }
}

bool slot_history_init(struct slot_history *history, uint64_t slot_cnt, unsigned kept)
{
    *history = (struct slot_history){.slot_cnt = slot_cnt};
    bool ok = true;
    for (int i = 0; i < SLOT_COUNTER_CNT; i++) {
        if ((kept >> i & 1) != 0) {
            history->counters[i] = map_zeros(slot_cnt * sizeof *history->counters[i]);
            ok = ok && history->counters[i] != NULL;
        }
    }
    if (kept != 0) {
        history->tags = map_zeros(slot_cnt * sizeof *history->tags);
        ok = ok && history->tags != NULL;
    }
    if (!ok) {
        slot_history_deinit(history);
    }
    return ok;
}

void slot_history_deinit(struct slot_history *history)
{
    for (int i = 0; i < SLOT_COUNTER_CNT; i++) {
        unmap(history->counters[i], history->slot_cnt * sizeof *history->counters[i]);
    }
    unmap(history->tags, history->slot_cnt * sizeof *history->tags);
    *history = (struct slot_history){0};
}

// Two processes that have the same slot one soon after the other differ in a few
// bits above the slot's number, which the multiplication spreads.
static uint16_t tag_of(uint64_t id)
{
    uint16_t tag = (uint16_t)((id * 0x9E3779B97F4A7C15ULL) >> 48);
    return tag == 0 ? 1 : tag;
}

bool slot_history_meet(struct slot_history *history, uint64_t slot, uint64_t id)
{
    uint16_t tag = tag_of(id);
    if (history->tags == NULL || history->tags[slot] == tag) {
        return true;
    }
    history->tags[slot] = tag;
    for (int i = 0; i < SLOT_COUNTER_CNT; i++) {
        if (history->counters[i] != NULL) {
            (void)slot_history_advance(history, (enum slot_counter)i, slot, 0);
        }
    }
    return false;
}

// Nothing is written that is there already: a page of zeros costs no memory.
uint32_t slot_history_advance(struct slot_history *history, enum slot_counter counter,
                              uint64_t slot, uint32_t now)
{
    uint32_t *at = &history->counters[counter][slot];
    uint32_t before = *at;
    if (before != now) {
        *at = now;
    }
    return before;
}

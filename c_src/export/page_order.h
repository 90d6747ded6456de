// SPDX-License-Identifier: Apache-2.0
// Sorts rows by a key, those of equal keys as they were. One owner, one thread.
#ifndef FLAME_PROF_EXPORT_PAGE_ORDER_H
#define FLAME_PROF_EXPORT_PAGE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct is empty.
struct page_order {
    uint32_t *keys; // of the rows, the caller's to fill
    uint64_t *pairs;
    uint64_t *sorted;
    uint32_t capacity;
};

// Room for `cnt` rows. False when out of memory.
bool page_order_reserve(struct page_order *order, uint32_t cnt);
void page_order_deinit(struct page_order *order);

// Sorts `rows`, whose keys are in order->keys.
void page_order_sort(struct page_order *order, uint32_t *rows, uint32_t cnt);

#endif

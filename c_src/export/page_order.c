// SPDX-License-Identifier: Apache-2.0
#include "export/page_order.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 48, KEY_SHIFT = 32, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

bool page_order_reserve(struct page_order *order, uint32_t cnt)
{
    if (cnt <= order->capacity) {
        return true;
    }
    page_order_deinit(order);
    uint32_t capacity = cnt < UINT32_MAX / 2 ? 2 * cnt : cnt;
    order->keys = malloc(capacity * sizeof *order->keys);
    order->pairs = malloc(capacity * sizeof *order->pairs);
    order->sorted = malloc(capacity * sizeof *order->sorted);
    order->capacity = capacity;
    return order->keys != NULL && order->pairs != NULL && order->sorted != NULL;
}

void page_order_deinit(struct page_order *order)
{
    free(order->keys);
    free(order->pairs);
    free(order->sorted);
    *order = (struct page_order){.capacity = 0};
}

static void sort_few(uint64_t *pairs, uint32_t cnt)
{
    for (uint32_t i = 1; i < cnt; i++) {
        uint64_t pair = pairs[i];
        uint32_t at = i;
        for (; at > 0 && pairs[at - 1] >> KEY_SHIFT > pair >> KEY_SHIFT; at--) {
            pairs[at] = pairs[at - 1];
        }
        pairs[at] = pair;
    }
}

static void sort_digit(const uint64_t *from, uint64_t *to, uint32_t cnt, unsigned shift)
{
    uint32_t at[DIGITS] = {0};
    uint32_t sum = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        at[from[i] >> shift & (DIGITS - 1)]++;
    }
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t digit_cnt = at[digit];
        at[digit] = sum;
        sum += digit_cnt;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        to[at[from[i] >> shift & (DIGITS - 1)]++] = from[i];
    }
}

// From the lowest digit on.
static void sort_many(struct page_order *order, uint32_t cnt, uint32_t max_key)
{
    for (unsigned shift = 0; shift < 32 && max_key >> shift != 0; shift += DIGIT_BITS) {
        uint64_t *sorted = order->sorted;
        sort_digit(order->pairs, sorted, cnt, KEY_SHIFT + shift);
        order->sorted = order->pairs;
        order->pairs = sorted;
    }
}

void page_order_sort(struct page_order *order, uint32_t *rows, uint32_t cnt)
{
    uint32_t max_key = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        order->pairs[i] = (uint64_t)order->keys[i] << KEY_SHIFT | rows[i];
        max_key = order->keys[i] > max_key ? order->keys[i] : max_key;
    }
    if (cnt <= FEW) {
        sort_few(order->pairs, cnt);
    } else {
        sort_many(order, cnt, max_key);
    }
    for (uint32_t i = 0; i < cnt; i++) {
        rows[i] = (uint32_t)order->pairs[i];
    }
}

// SPDX-License-Identifier: Apache-2.0
// A byte per row, 0 or 1: which rows are taken.
#ifndef FLAME_PROF_QUERY_ROW_MASK_H
#define FLAME_PROF_QUERY_ROW_MASK_H

#include <stdint.h>
#include <string.h>

// How many are 1. Eight at once: 255 of them fit into the bytes of a word.
static inline uint64_t row_mask_count(const uint8_t *mask, uint64_t cnt)
{
    uint64_t rows = 0;
    uint64_t at = 0;
    while (at + 8 <= cnt) {
        uint64_t words = (cnt - at) / 8 < 255 ? (cnt - at) / 8 : 255;
        uint64_t sums = 0;
        for (uint64_t i = 0; i < words; i++) {
            uint64_t word;
            memcpy(&word, mask + at + 8 * i, sizeof word);
            sums += word;
        }
        sums = (sums & 0x00FF00FF00FF00FFULL) + (sums >> 8 & 0x00FF00FF00FF00FFULL);
        rows += sums * 0x0001000100010001ULL >> 48;
        at += 8 * words;
    }
    for (; at < cnt; at++) {
        rows += mask[at];
    }
    return rows;
}

#endif

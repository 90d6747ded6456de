// SPDX-License-Identifier: Apache-2.0
// Finds the ends of blocks of indented lines. Pure.
#ifndef FLAME_PROF_IMPORT_LINE_SCAN_H
#define FLAME_PROF_IMPORT_LINE_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// The first newline in [at, end) that has no blank behind it; `end` when there is none
// whose next byte is in the range, too.
static inline const char *line_scan_block_end(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i newline = _mm_set1_epi8('\n');
    const __m128i space = _mm_set1_epi8(' ');
    const __m128i tab = _mm_set1_epi8('\t');
    for (; end - at > 16; at += 16) {
        __m128i here = _mm_loadu_si128((const __m128i *)at);
        __m128i next = _mm_loadu_si128((const __m128i *)(at + 1));
        __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(next, space), _mm_cmpeq_epi8(next, tab));
        int ends = _mm_movemask_epi8(_mm_andnot_si128(blank, _mm_cmpeq_epi8(here, newline)));
        if (ends != 0) {
            return at + __builtin_ctz((unsigned)ends);
        }
    }
#endif
    for (; at + 1 < end; at++) {
        if (*at == '\n' && at[1] != ' ' && at[1] != '\t') {
            return at;
        }
    }
    return end;
}

// Newlines in [at, end).
static inline uint32_t line_scan_count(const char *at, const char *end)
{
    uint32_t cnt = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        cnt++;
        at++;
    }
    return cnt;
}

#endif

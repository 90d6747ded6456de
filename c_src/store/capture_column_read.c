// SPDX-License-Identifier: Apache-2.0
#include "store/capture_column.h"

#include <string.h>

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}

// Sums wrap.
static inline int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

// --- bytes as tokens --------------------------------------------------------------

// Most are of one byte, the others of two or three.
static inline uint64_t take(struct byte_cursor *cursor)
{
    const unsigned char *at = cursor->at;
    if (cursor->end - at < 3) {
        return byte_cursor_varint(cursor);
    }
    if (at[0] < 0x80) {
        cursor->at = at + 1;
        return at[0];
    }
    uint64_t value = (uint64_t)(at[0] & 0x7F) | (uint64_t)(at[1] & 0x7F) << 7;
    if (at[1] < 0x80) {
        cursor->at = at + 2;
        return value;
    }
    if (at[2] < 0x80) {
        cursor->at = at + 3;
        return value | (uint64_t)at[2] << 14;
    }
    return byte_cursor_varint(cursor);
}

static void take_all(struct byte_cursor *cursor, uint32_t cnt, int64_t *tokens)
{
    struct byte_cursor local = *cursor; // stays in registers
    for (uint32_t i = 0; i < cnt; i++) {
        tokens[i] = (int64_t)take(&local);
    }
    *cursor = local;
}

static void take_few(struct byte_cursor *cursor, uint32_t cnt, int64_t *tokens)
{
    struct byte_cursor local = *cursor;
    uint64_t told = take(&local);
    uint64_t next = 0;
    bool is_bad = told > cnt;
    memset(tokens, 0, cnt * sizeof *tokens);
    struct byte_cursor gaps = local;
    for (uint64_t i = 0; i < told && !is_bad; i++) { // where the tokens begin
        (void)take(&local);
        is_bad = local.is_bad;
    }
    for (uint64_t i = 0; i < told && !is_bad; i++) {
        uint64_t gap = take(&gaps);
        is_bad = gap >= cnt || next + gap >= cnt;
        next += gap + 1;
        if (!is_bad) {
            tokens[next - 1] = (int64_t)take(&local);
        }
    }
    *cursor = local;
    cursor->is_bad |= is_bad;
}

// --- tokens as numbers, in place --------------------------------------------------

static void decode_plain(uint32_t cnt, int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = unzigzag((uint64_t)values[i]);
    }
}

static void decode_steps(uint32_t cnt, int64_t *values)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        before = sum(before, unzigzag((uint64_t)values[i]));
        values[i] = before;
    }
}

static void decode_own(struct capture_threads *threads, const struct capture_rows *rows,
                       int64_t *values)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        int64_t code = rows->codes[i];
        struct capture_thread *slot = capture_threads_slot(threads, code);
        uint64_t token = (uint64_t)values[i];
        values[i] = token == 0 ? capture_thread_last(slot, code) : unzigzag(token - 1);
        capture_thread_learn(slot, code, values[i]);
    }
}

static void decode_next(struct capture_threads *threads, uint32_t cnt, int64_t *values)
{
    int64_t before = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        struct capture_thread *slot = capture_threads_slot(threads, before);
        uint64_t token = (uint64_t)values[i];
        values[i] = token == 0 ? capture_thread_last(slot, before) : unzigzag(token - 1);
        capture_thread_learn(slot, before, values[i]);
        before = values[i];
    }
}

static void decode_gained(struct capture_threads *threads, const struct capture_rows *rows,
                          int64_t *values)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        int64_t code = rows->codes[i];
        struct capture_thread *slot = capture_threads_slot(threads, code);
        int64_t expected = sum(capture_thread_last(slot, code), rows->others[i]);
        values[i] = sum(expected, unzigzag((uint64_t)values[i]));
        capture_thread_learn(slot, code, values[i]);
    }
}

static void decode_elapsed(struct capture_threads *threads, const struct capture_rows *rows,
                           int64_t *values)
{
    for (uint32_t i = 0; i < rows->cnt; i++) {
        int64_t code = rows->codes[i];
        struct capture_thread *slot = capture_threads_slot(threads, code);
        int64_t expected = difference(rows->others[i], capture_thread_last(slot, code));
        values[i] = sum(expected, unzigzag((uint64_t)values[i]));
        capture_thread_learn(slot, code, rows->others[i]);
    }
}

// --- columns ----------------------------------------------------------------------

bool capture_column_take_same(struct byte_cursor *cursor, int64_t *value)
{
    if (cursor->at == cursor->end || *cursor->at != CAPTURE_SAME) {
        return false;
    }
    cursor->at++;
    *value = unzigzag(take(cursor));
    return true;
}

static void decode_same(struct byte_cursor *cursor, uint32_t cnt, int64_t *values)
{
    int64_t value = unzigzag(take(cursor));
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = value;
    }
}

static bool decode(struct capture_threads *threads, unsigned encoding,
                   const struct capture_rows *rows, int64_t *values)
{
    bool needs_others = encoding == CAPTURE_GAINED || encoding == CAPTURE_ELAPSED;
    if ((needs_others && rows->others == NULL) || !capture_threads_reserve(threads)) {
        return false;
    }
    switch (encoding) {
    case CAPTURE_PLAIN:
        decode_plain(rows->cnt, values);
        return true;
    case CAPTURE_STEPS:
        decode_steps(rows->cnt, values);
        return true;
    case CAPTURE_OWN:
        decode_own(threads, rows, values);
        return true;
    case CAPTURE_NEXT:
        decode_next(threads, rows->cnt, values);
        return true;
    case CAPTURE_GAINED:
        decode_gained(threads, rows, values);
        return true;
    case CAPTURE_ELAPSED:
        decode_elapsed(threads, rows, values);
        return true;
    default:
        return false;
    }
}

bool capture_column_decode(struct capture_threads *threads, struct byte_cursor *cursor,
                           const struct capture_rows *rows, int64_t *values)
{
    unsigned encoding = byte_cursor_u8(cursor);
    if (encoding == CAPTURE_SAME) {
        decode_same(cursor, rows->cnt, values);
        return !cursor->is_bad;
    }
    if ((encoding & CAPTURE_FEW) != 0) {
        take_few(cursor, rows->cnt, values);
    } else {
        take_all(cursor, rows->cnt, values);
    }
    cursor->is_bad |= !decode(threads, encoding & ~(unsigned)CAPTURE_FEW, rows, values);
    return !cursor->is_bad;
}

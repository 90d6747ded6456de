// SPDX-License-Identifier: Apache-2.0
// Columns of one chunk as bytes: enum capture_encoding, then tokens, numbers of variable
// length. What a thread's rows have in common is told by the rows' thread codes.
#ifndef FLAME_PROF_STORE_CAPTURE_COLUMN_H
#define FLAME_PROF_STORE_CAPTURE_COLUMN_H

#include "base/byte_cursor.h"
#include "store/capture_chain.h"
#include "store/capture_format.h"
#include "store/capture_threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Of the rows of one chunk; borrowed.
struct capture_rows {
    uint32_t cnt;          // > 0
    const int64_t *codes;  // of their threads
    const int64_t *others; // their gains, or times; NULL: no encoding that asks for them
};

// Room for a column of `cnt` rows in any encoding.
static inline size_t capture_column_bound(uint32_t cnt)
{
    return 21 + (size_t)cnt * 10;
}

// Room for one of each row, in which nothing is kept, and how the rows hang together.
struct capture_scratch {
    uint64_t *tokens;
    uint32_t *rows;
    const struct capture_chain *chain; // of the rows' codes
};

// Encodes a column that has `value` in every row. Returns the bytes.
size_t capture_column_encode_same(int64_t value, unsigned char *out);

// Encodes `values` into `out`, as `encoding` or, where all are the same, as that.
// Returns the bytes; 0 when out of memory.
size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const struct capture_rows *rows, const int64_t *values,
                             const struct capture_scratch *scratch, unsigned char *out);

// True when the column has one number for all rows, which it takes.
bool capture_column_take_same(struct byte_cursor *cursor, int64_t *value);

// False when the bytes are no such column, or out of memory. `values` may be the codes of
// `rows`, which are what CAPTURE_NEXT tells.
bool capture_column_decode(struct capture_threads *threads, struct byte_cursor *cursor,
                           const struct capture_rows *rows, int64_t *values);

#endif

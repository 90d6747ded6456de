// SPDX-License-Identifier: Apache-2.0
// Columns of one chunk as bytes: enum capture_encoding, then a variable-length number
// per row. What a thread's rows have in common is told by the rows' thread codes.
// One owner, one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_COLUMN_H
#define FLAME_PROF_STORE_CAPTURE_COLUMN_H

#include "base/byte_cursor.h"
#include "store/capture_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a column had at a thread's last row, if `turn` is that of the column.
struct capture_thread {
    int64_t last;
    uint32_t turn;
};

// Of all columns of a chunk. A zeroed struct is empty.
struct capture_threads {
    const int64_t *codes; // of each row, 0 to code_cnt - 1; borrowed
    uint32_t code_cnt;
    struct capture_thread *threads; // by code
    uint32_t capacity;
    uint32_t turn;
};

void capture_threads_deinit(struct capture_threads *threads);

// False when out of memory.
bool capture_threads_set(struct capture_threads *threads, const int64_t *codes, uint32_t code_cnt);

// Room for a column of `cnt` rows in any encoding.
static inline size_t capture_column_bound(uint32_t cnt)
{
    return 11 + (size_t)cnt * 10;
}

// Encodes `cnt` (> 0) rows into `out`, as `encoding` or, where all are the same, as that.
// `gains` is for CAPTURE_GAINED. Returns the bytes.
size_t capture_column_encode(struct capture_threads *threads, enum capture_encoding encoding,
                             const int64_t *values, const int64_t *gains, uint32_t cnt,
                             unsigned char *out);

// True when the column has one number for all rows, which it takes.
bool capture_column_take_same(struct byte_cursor *cursor, int64_t *value);

// False when the bytes are no such column.
bool capture_column_decode(struct capture_threads *threads, struct byte_cursor *cursor,
                           const int64_t *gains, uint32_t cnt, int64_t *values);

#endif

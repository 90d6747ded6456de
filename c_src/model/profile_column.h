// SPDX-License-Identifier: Apache-2.0
// One number per row of a profile, stored as narrow as all of its numbers allow.
// Filled by one thread; afterwards any number of threads may read.
#ifndef FLAME_PROF_MODEL_PROFILE_COLUMN_H
#define FLAME_PROF_MODEL_PROFILE_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A zeroed struct is an empty column.
struct profile_column {
    uint64_t cnt;
    uint64_t capacity_bytes;
    uint64_t expected_cnt; // rows to make room for at once; a guess does no harm
    void *rows;            // signed integers of `width` bytes; unused for width 0
    uint8_t width;         // 0 (every row is `min`), 1, 2, 4 or 8
    int64_t min;           // over all rows; both 0 for an empty column
    int64_t max;
};

// Harmless twice and on a zeroed struct.
void profile_column_deinit(struct profile_column *column);

// Forgets the rows, keeps the memory.
void profile_column_clear(struct profile_column *column);

// False, and nothing is appended, when out of memory.
bool profile_column_append(struct profile_column *column, const int64_t *values, uint32_t cnt);

// Gives back the memory that was meant for rows to come.
void profile_column_trim(struct profile_column *column);

// `cnt` times the same.
bool profile_column_append_same(struct profile_column *column, int64_t value, uint64_t cnt);

// Rows `first` to `first + cnt` (there are so many) as 64-bit numbers. Some
// thousand at a time stay in the cache.
void profile_column_read(const struct profile_column *column, uint64_t first, uint32_t cnt,
                         int64_t *values);

// Rows by number, in any order.
void profile_column_gather(const struct profile_column *column, const uint32_t *rows, uint32_t cnt,
                           int64_t *values);

// One row (< cnt).
static inline int64_t profile_column_at(const struct profile_column *column, uint64_t row)
{
    switch (column->width) {
    case 1:
        return ((const int8_t *)column->rows)[row];
    case 2:
        return ((const int16_t *)column->rows)[row];
    case 4:
        return ((const int32_t *)column->rows)[row];
    case 8:
        return ((const int64_t *)column->rows)[row];
    default:
        return column->min;
    }
}

size_t profile_column_memory_bytes(const struct profile_column *column);

#endif

// SPDX-License-Identifier: Apache-2.0
#include "model/profile_column.h"

#include "base/big_memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1024, SAME_ROWS = 128 };

void profile_column_deinit(struct profile_column *column)
{
    free(column->rows);
    *column = (struct profile_column){0};
}

void profile_column_clear(struct profile_column *column)
{
    column->cnt = 0;
    column->min = 0;
    column->max = 0;
    column->width = 0;
}

void profile_column_trim(struct profile_column *column)
{
    uint64_t bytes = column->cnt * column->width;
    void *rows = bytes == 0 ? NULL : realloc(column->rows, bytes);
    if (rows != NULL) {
        column->rows = rows;
        column->capacity_bytes = bytes;
    } else if (bytes == 0) { // every row is `min`
        free(column->rows);
        column->rows = NULL;
        column->capacity_bytes = 0;
    }
}

static uint8_t width_of(int64_t min, int64_t max)
{
    if (min == max) {
        return 0;
    }
    if (min >= INT8_MIN && max <= INT8_MAX) {
        return 1;
    }
    if (min >= INT16_MIN && max <= INT16_MAX) {
        return 2;
    }
    return min >= INT32_MIN && max <= INT32_MAX ? 4 : 8;
}

// --- writing ------------------------------------------------------------------

static void store(void *rows, uint8_t width, uint64_t at, const int64_t *values, uint64_t cnt)
{
    switch (width) {
    case 1:
        for (uint64_t i = 0; i < cnt; i++) {
            ((int8_t *)rows)[at + i] = (int8_t)values[i];
        }
        break;
    case 2:
        for (uint64_t i = 0; i < cnt; i++) {
            ((int16_t *)rows)[at + i] = (int16_t)values[i];
        }
        break;
    case 4:
        for (uint64_t i = 0; i < cnt; i++) {
            ((int32_t *)rows)[at + i] = (int32_t)values[i];
        }
        break;
    case 8:
        memcpy((int64_t *)rows + at, values, cnt * sizeof *values);
        break;
    default:
        break;
    }
}

// The rows that are there, in wider ones. In place, from the last.
static void spread(struct profile_column *column, uint8_t width)
{
    struct profile_column old = *column;
    for (uint64_t i = old.cnt; i > 0; i--) {
        int64_t value = profile_column_at(&old, i - 1);
        store(column->rows, width, i - 1, &value, 1);
    }
    column->width = width;
}

static bool reserve(struct profile_column *column, uint64_t cnt, uint8_t width)
{
    uint64_t want = cnt * width;
    if (want > column->capacity_bytes) {
        uint64_t roomy = want + want / 4 + FIRST_BYTES;
        if (column->expected_cnt >= cnt) {
            roomy = column->expected_cnt * width + FIRST_BYTES;
        }
        void *rows = realloc(column->rows, roomy);
        if (rows == NULL) {
            return false;
        }
        big_memory_advise(rows, roomy);
        column->rows = rows;
        column->capacity_bytes = roomy;
    }
    if (width != column->width) {
        spread(column, width);
    }
    return true;
}

static bool make_room(struct profile_column *column, int64_t min, int64_t max, uint64_t cnt)
{
    if (column->cnt > 0) {
        min = column->min < min ? column->min : min;
        max = column->max > max ? column->max : max;
    }
    uint8_t width = width_of(min, max);
    width = width > column->width ? width : column->width;
    if (!reserve(column, column->cnt + cnt, width)) {
        return false;
    }
    column->min = min;
    column->max = max;
    return true;
}

struct bounds {
    int64_t min;
    int64_t max;
};

static struct bounds wide_bounds(const int64_t *values, uint32_t cnt)
{
    struct bounds bounds = {values[0], values[0]};
    for (uint32_t i = 1; i < cnt; i++) {
        bounds.min = values[i] < bounds.min ? values[i] : bounds.min;
        bounds.max = values[i] > bounds.max ? values[i] : bounds.max;
    }
    return bounds;
}

// Most are all the same, or narrow: those the compiler compares several at a time.
static struct bounds bounds_of(const int64_t *values, uint32_t cnt)
{
    if (memcmp(values, values + 1, (cnt - 1) * sizeof *values) == 0) {
        return (struct bounds){values[0], values[0]};
    }
    int32_t min = INT32_MAX;
    int32_t max = INT32_MIN;
    uint64_t beyond = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        int32_t value = (int32_t)values[i];
        min = value < min ? value : min;
        max = value > max ? value : max;
        beyond |= (uint64_t)values[i] - (uint64_t)(int64_t)INT32_MIN;
    }
    return beyond >> 32 == 0 ? (struct bounds){min, max} : wide_bounds(values, cnt);
}

bool profile_column_append(struct profile_column *column, const int64_t *values, uint32_t cnt)
{
    if (cnt == 0) {
        return true;
    }
    struct bounds bounds = bounds_of(values, cnt);
    if (!make_room(column, bounds.min, bounds.max, cnt)) {
        return false;
    }
    store(column->rows, column->width, column->cnt, values, cnt);
    column->cnt += cnt;
    return true;
}

bool profile_column_append_same(struct profile_column *column, int64_t value, uint64_t cnt)
{
    if (cnt == 0) {
        return true;
    }
    if (!make_room(column, value, value, cnt)) {
        return false;
    }
    int64_t block[SAME_ROWS];
    for (uint32_t i = 0; i < SAME_ROWS; i++) {
        block[i] = value;
    }
    for (uint64_t at = 0; at < cnt && column->width > 0; at += SAME_ROWS) {
        uint64_t left = cnt - at;
        store(column->rows, column->width, column->cnt + at, block,
              left < SAME_ROWS ? left : SAME_ROWS);
    }
    column->cnt += cnt;
    return true;
}

// --- reading ------------------------------------------------------------------

void profile_column_read(const struct profile_column *column, uint64_t first, uint32_t cnt,
                         int64_t *values)
{
    switch (column->width) {
    case 1:
        for (uint32_t i = 0; i < cnt; i++) {
            values[i] = ((const int8_t *)column->rows)[first + i];
        }
        break;
    case 2:
        for (uint32_t i = 0; i < cnt; i++) {
            values[i] = ((const int16_t *)column->rows)[first + i];
        }
        break;
    case 4:
        for (uint32_t i = 0; i < cnt; i++) {
            values[i] = ((const int32_t *)column->rows)[first + i];
        }
        break;
    case 8:
        memcpy(values, (const int64_t *)column->rows + first, cnt * sizeof *values);
        break;
    default:
        for (uint32_t i = 0; i < cnt; i++) {
            values[i] = column->min;
        }
        break;
    }
}

void profile_column_gather(const struct profile_column *column, const uint32_t *rows, uint32_t cnt,
                           int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = profile_column_at(column, rows[i]);
    }
}

size_t profile_column_memory_bytes(const struct profile_column *column)
{
    return column->capacity_bytes;
}

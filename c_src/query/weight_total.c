// SPDX-License-Identifier: Apache-2.0
#include "query/weight_total.h"

#include "query/row_mask.h"

// --- rows that have the weight --------------------------------------------------

// Of one word of presence: rows `from` to `to` of its 64.
static uint64_t count_word(uint64_t word, const uint8_t *mask, uint32_t from, uint32_t to)
{
    uint64_t bits = word >> from;
    uint32_t cnt = to - from;
    uint64_t all = cnt == 64 ? UINT64_MAX : (1ULL << cnt) - 1;
    uint64_t rows = 0;
    if (mask == NULL) {
        return (uint64_t)__builtin_popcountll(bits & all);
    }
    if ((bits & all) == all) {
        return row_mask_count(mask, cnt);
    }
    for (uint32_t i = 0; i < cnt; i++) {
        rows += mask[i] & (bits >> i & 1);
    }
    return rows;
}

static uint64_t count_rows(const struct weight_reader *reader, const uint8_t *mask, uint64_t first,
                           uint64_t cnt)
{
    uint64_t rows = 0;
    if (reader->metric == NULL) {
        return mask == NULL ? cnt : row_mask_count(mask, cnt);
    }
    const uint64_t *present = reader->metric->present;
    for (uint64_t row = first, end = first + cnt; row < end;) {
        uint64_t next = (row / 64 + 1) * 64;
        next = next < end ? next : end;
        uint32_t from = (uint32_t)(row % 64);
        rows += count_word(present[row / 64], mask == NULL ? NULL : mask + (row - first), from,
                           from + (uint32_t)(next - row));
        row = next;
    }
    return rows;
}

// --- sums -----------------------------------------------------------------------

enum half { BOTH_HALVES, POSITIVE_HALF, NEGATIVE_HALF };

static enum half half_of(enum weight_form form)
{
    return form == WEIGHT_INCREASE   ? POSITIVE_HALF
           : form == WEIGHT_DECREASE ? NEGATIVE_HALF
                                     : BOTH_HALVES;
}

static inline int64_t clamped(int64_t value, enum half half)
{
    return (half == POSITIVE_HALF && value < 0) || (half == NEGATIVE_HALF && value > 0) ? 0 : value;
}

// One loop per width, with or without a mask, per half: constants to the compiler, which
// leaves no branch in it. Rows without the metric are 0.
#define SUM_OF(type)                                                                               \
    static inline __attribute__((always_inline))                                                   \
    uint64_t loop_##type(const type *rows, const uint8_t *mask, uint64_t cnt, enum half half)      \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        for (uint64_t i = 0; i < cnt; i++) {                                                       \
            type value = mask == NULL ? rows[i] : (type)(rows[i] & -(type)mask[i]);                \
            type kept =                                                                            \
                (half == POSITIVE_HALF && value < 0) || (half == NEGATIVE_HALF && value > 0)       \
                    ? 0                                                                            \
                    : value;                                                                       \
            sum += (uint64_t)(int64_t)kept;                                                        \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    static uint64_t sum_##type(const type *rows, const uint8_t *mask, uint64_t cnt,                \
                               enum half half)                                                     \
    {                                                                                              \
        if (mask == NULL) {                                                                        \
            return half == BOTH_HALVES     ? loop_##type(rows, NULL, cnt, BOTH_HALVES)             \
                   : half == POSITIVE_HALF ? loop_##type(rows, NULL, cnt, POSITIVE_HALF)           \
                                           : loop_##type(rows, NULL, cnt, NEGATIVE_HALF);          \
        }                                                                                          \
        return half == BOTH_HALVES     ? loop_##type(rows, mask, cnt, BOTH_HALVES)                 \
               : half == POSITIVE_HALF ? loop_##type(rows, mask, cnt, POSITIVE_HALF)               \
                                       : loop_##type(rows, mask, cnt, NEGATIVE_HALF);              \
    }

SUM_OF(int8_t)
SUM_OF(int16_t)
SUM_OF(int32_t)
SUM_OF(int64_t)

static uint64_t sum_rows(const struct profile_column *column, const uint8_t *mask, uint64_t first,
                         uint64_t cnt, enum half half)
{
    switch (column->width) {
    case 1:
        return sum_int8_t((const int8_t *)column->rows + first, mask, cnt, half);
    case 2:
        return sum_int16_t((const int16_t *)column->rows + first, mask, cnt, half);
    case 4:
        return sum_int32_t((const int32_t *)column->rows + first, mask, cnt, half);
    default:
        return sum_int64_t((const int64_t *)column->rows + first, mask, cnt, half);
    }
}

struct weight_total weight_total_of(const struct weight_reader *reader, const uint8_t *mask,
                                    uint64_t first, uint64_t cnt)
{
    const struct profile_column *column = reader->column;
    enum half half = half_of(reader->form);
    uint64_t rows = count_rows(reader, mask, first, cnt);
    uint64_t sum = 0;
    if (column == NULL) {
        sum = rows;
    } else if (column->width == 0) {
        sum = rows * (uint64_t)clamped(column->min, half);
    } else if (rows > 0) {
        sum = sum_rows(column, mask, first, cnt, half);
    }
    return (struct weight_total){(int64_t)(half == NEGATIVE_HALF ? 0 - sum : sum), rows};
}

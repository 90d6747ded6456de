// SPDX-License-Identifier: Apache-2.0
#include "export/page_column.h"

#include <stdlib.h>
#include <string.h>

enum { FULL_EFFORT_PART = 16 };

// What a double holds exactly, and what twice a difference of differences is less for.
static const uint64_t EXACT_MAX = 1ULL << 53;
static const int64_t STEP_MAX = 1LL << 50;

bool page_columns_init(struct page_columns *columns, const struct page_rows *rows, bool is_sorted,
                       struct error *err)
{
    *columns = (struct page_columns){.rows = rows, .is_sorted = is_sorted};
    columns->last = malloc(((size_t)rows->key_cnt + 1) * sizeof *columns->last);
    columns->keys = malloc(PAGE_PIECE_ROWS * sizeof *columns->keys);
    columns->values = malloc(PAGE_PIECE_ROWS * sizeof *columns->values);
    columns->gains = malloc(PAGE_PIECE_ROWS * sizeof *columns->gains);
    columns->is_first = malloc(PAGE_PIECE_ROWS);
    columns->bytes = malloc(PAGE_COLUMN_BYTES);
    return (columns->last != NULL && columns->keys != NULL && columns->values != NULL &&
            columns->gains != NULL && columns->is_first != NULL && columns->bytes != NULL) ||
           error_set(err, ERROR_NO_MEMORY, "export: out of memory");
}

void page_columns_deinit(struct page_columns *columns)
{
    free(columns->last);
    free(columns->next);
    free(columns->keys);
    free(columns->values);
    free(columns->gains);
    free(columns->is_first);
    free(columns->bytes);
    *columns = (struct page_columns){.rows = NULL};
}

// --- a piece of the rows ----------------------------------------------------------

static void read_stacks(const struct page_rows *rows, const uint32_t *row, uint32_t cnt,
                        int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = page_rows_stack(rows, row[i]);
    }
}

static void read_bits(const uint64_t *bits, const uint32_t *row, uint32_t cnt, int64_t *values)
{
    for (uint32_t i = 0; i < cnt; i++) {
        values[i] = (int64_t)(bits[row[i] / 64] >> row[i] % 64 & 1);
    }
}

static void mark_cells(const struct page_rows *rows, uint32_t first, uint32_t cnt,
                       uint32_t *cell_idx, uint8_t *is_first)
{
    memset(is_first, 0, cnt);
    while (*cell_idx < rows->cell_cnt) {
        uint32_t begin = *cell_idx == 0 ? 0 : rows->cells[*cell_idx - 1].end;
        if (begin >= first + cnt) {
            return;
        }
        is_first[begin - first] = 1;
        ++*cell_idx;
    }
}

// Leaves out the rows without their bit.
static uint32_t keep_present(struct page_columns *columns, const uint64_t *bits,
                             const uint32_t *row, uint32_t cnt)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        columns->keys[kept] = columns->keys[i];
        columns->values[kept] = columns->values[i];
        columns->gains[kept] = columns->gains[i];
        kept += (uint32_t)(bits[row[i] / 64] >> row[i] % 64 & 1);
    }
    return kept;
}

// How many rows of the piece have a number.
static uint32_t read_piece(struct page_columns *columns, const struct page_column *column,
                           uint32_t first, uint32_t cnt)
{
    const uint32_t *row = columns->rows->rows + first;
    switch (column->kind) {
    case PAGE_COLUMN_STACKS:
        read_stacks(columns->rows, row, cnt, columns->values);
        return cnt;
    case PAGE_COLUMN_BITS:
        read_bits(column->bits, row, cnt, columns->values);
        return cnt;
    default:
        profile_column_gather(column->column, row, cnt, columns->values);
        break;
    }
    if (column->gains != NULL) {
        profile_column_gather(column->gains, row, cnt, columns->gains);
    }
    bool takes_all = column->kind == PAGE_COLUMN_CODES || column->bits == NULL;
    return takes_all ? cnt : keep_present(columns, column->bits, row, cnt);
}

// --- encodings --------------------------------------------------------------------

static uint64_t zigzag(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

static uint64_t own(struct page_columns *columns, uint32_t i, enum page_encoding encoding)
{
    int64_t value = columns->values[i];
    int64_t *last = &columns->last[columns->keys[i]];
    uint64_t step = (uint64_t)value - (uint64_t)*last;
    *last = value;
    switch (encoding) {
    case PAGE_OWN:
        return step == 0 ? 0 : (uint64_t)value + 1;
    case PAGE_GAINED:
        return zigzag(step - (uint64_t)columns->gains[i]);
    default:
        return zigzag(step);
    }
}

// `before` is the number of the row before, at first 0.
static uint64_t following(struct page_columns *columns, uint32_t i, int64_t before,
                          enum page_encoding encoding)
{
    uint64_t value = (uint64_t)columns->values[i];
    if (encoding == PAGE_NEXT) {
        uint32_t *next = &columns->next[before];
        bool is_known = *next == value;
        *next = (uint32_t)value;
        return is_known ? 0 : value + 1;
    }
    if (encoding == PAGE_SORTED) {
        return columns->is_first[i] != 0 ? value : value - (uint64_t)before;
    }
    return zigzag(value - (uint64_t)before);
}

// The bytes of the piece that was read.
static size_t encode(struct page_columns *columns, enum page_encoding encoding, uint32_t cnt,
                     int64_t *before)
{
    unsigned char *at = columns->bytes;
    for (uint32_t i = 0; i < cnt; i++) {
        switch (encoding) {
        case PAGE_PLAIN:
            at = page_varint(at, zigzag((uint64_t)columns->values[i]));
            break;
        case PAGE_STEPS:
        case PAGE_NEXT:
        case PAGE_SORTED:
            at = page_varint(at, following(columns, i, *before, encoding));
            *before = columns->values[i];
            break;
        default:
            at = page_varint(at, own(columns, i, encoding));
            break;
        }
    }
    return (size_t)(at - columns->bytes);
}

static void forget(struct page_columns *columns)
{
    memset(columns->last, 0, (size_t)columns->rows->key_cnt * sizeof *columns->last);
    if (columns->next_cnt > 0) {
        memset(columns->next, 0, (size_t)columns->next_cnt * sizeof *columns->next);
    }
}

// --- which one --------------------------------------------------------------------

static bool suits(const struct page_columns *columns, const struct page_column *column,
                  enum page_encoding encoding)
{
    bool is_number = column->kind == PAGE_COLUMN_NUMBERS;
    switch (encoding) {
    case PAGE_PLAIN:
    case PAGE_STEPS:
        return true;
    case PAGE_OWN:
        return !is_number && !column->is_key;
    case PAGE_OWN_STEPS:
        return is_number;
    case PAGE_NEXT:
        return column->kind == PAGE_COLUMN_CODES;
    case PAGE_GAINED:
        return column->gains != NULL;
    case PAGE_SORTED:
        return column->is_key && columns->is_sorted;
    default:
        return false;
    }
}

struct way {
    enum page_encoding encoding;
    enum zlib_effort effort;
    size_t len; // of the first rows
};

// Looking for more than runs must be worth its time.
static size_t cost_of(size_t packed_len, enum zlib_effort effort)
{
    return effort == ZLIB_EFFORT_FULL ? packed_len + packed_len / FULL_EFFORT_PART : packed_len;
}

static void try_way(struct page_columns *columns, enum page_encoding encoding, uint32_t cnt,
                    struct way *best)
{
    int64_t before = 0;
    forget(columns);
    size_t len = encode(columns, encoding, cnt, &before);
    for (int effort = ZLIB_EFFORT_RUNS; effort <= ZLIB_EFFORT_FULL; effort++) {
        size_t packed_len = page_block_try(columns->bytes, len, (enum zlib_effort)effort);
        size_t cost = cost_of(packed_len, (enum zlib_effort)effort);
        if (packed_len != SIZE_MAX && cost < best->len) {
            *best = (struct way){encoding, (enum zlib_effort)effort, cost};
        }
    }
}

static struct way choose(struct page_columns *columns, const struct page_column *column,
                         uint32_t cnt)
{
    struct way best = {PAGE_PLAIN, ZLIB_EFFORT_FULL, SIZE_MAX};
    uint32_t cell_idx = 0;
    page_rows_keys(columns->rows, 0, cnt, columns->keys);
    mark_cells(columns->rows, 0, cnt, &cell_idx, columns->is_first);
    cnt = read_piece(columns, column, 0, cnt);
    for (int encoding = PAGE_PLAIN; encoding < PAGE_ENCODING_CNT; encoding++) {
        if (suits(columns, column, (enum page_encoding)encoding)) {
            try_way(columns, (enum page_encoding)encoding, cnt, &best);
        }
    }
    return best;
}

// --- a column ---------------------------------------------------------------------

struct column_sums {
    struct page_column_facts facts;
    double magnitude;
    bool has_any;
};

static void add_facts(struct column_sums *sums, const int64_t *values, uint32_t cnt)
{
    struct page_column_facts *facts = &sums->facts;
    uint64_t sum = (uint64_t)facts->sum;
    if (!sums->has_any && cnt > 0) {
        facts->min = facts->max = values[0];
        sums->has_any = true;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        int64_t value = values[i];
        sum += (uint64_t)value;
        facts->min = value < facts->min ? value : facts->min;
        facts->max = value > facts->max ? value : facts->max;
        sums->magnitude += value < 0 ? -(double)value : (double)value;
    }
    facts->sum = (int64_t)sum;
    facts->is_wide =
        sums->magnitude >= (double)EXACT_MAX || facts->min < -STEP_MAX || facts->max > STEP_MAX;
}

static bool make_next(struct page_columns *columns, const struct page_column *column)
{
    if (column->kind != PAGE_COLUMN_CODES || column->code_cnt <= columns->next_cnt) {
        return true;
    }
    free(columns->next);
    columns->next = malloc((size_t)column->code_cnt * sizeof *columns->next);
    columns->next_cnt = columns->next == NULL ? 0 : column->code_cnt;
    return columns->next != NULL;
}

static void write_same(struct page_block *block, struct page_columns *columns, int64_t value,
                       struct page_column_facts *facts)
{
    unsigned char *end = page_varint(columns->bytes, zigzag((uint64_t)value));
    page_block_write(block, columns->bytes, (size_t)(end - columns->bytes));
    uint64_t sum = (uint64_t)value * columns->rows->cnt;
    double magnitude = (value < 0 ? -(double)value : (double)value) * columns->rows->cnt;
    *facts = (struct page_column_facts){value, value, (int64_t)sum, magnitude >= (double)STEP_MAX};
}

static void write_rows(struct page_columns *columns, const struct page_column *column,
                       enum page_encoding encoding, struct page_block *block,
                       struct column_sums *sums)
{
    int64_t before = 0;
    uint32_t cell_idx = 0;
    uint32_t row_cnt = columns->rows->cnt;
    forget(columns);
    for (uint32_t first = 0; first < row_cnt; first += PAGE_PIECE_ROWS) {
        uint32_t cnt = row_cnt - first < PAGE_PIECE_ROWS ? row_cnt - first : PAGE_PIECE_ROWS;
        if (encoding == PAGE_SORTED) {
            mark_cells(columns->rows, first, cnt, &cell_idx, columns->is_first);
        } else if (encoding >= PAGE_OWN && encoding != PAGE_NEXT) {
            page_rows_keys(columns->rows, first, cnt, columns->keys);
        }
        cnt = read_piece(columns, column, first, cnt);
        add_facts(sums, columns->values, cnt);
        page_block_write(block, columns->bytes, encode(columns, encoding, cnt, &before));
    }
}

static bool is_same(const struct page_column *column)
{
    return column->column != NULL && column->column->min == column->column->max;
}

bool page_columns_write(struct page_columns *columns, const struct page_column *column,
                        struct page_block *block, const char *id, struct page_column_facts *facts,
                        struct error *err)
{
    struct column_sums sums = {.magnitude = 0};
    uint32_t cnt = columns->rows->cnt < PAGE_PIECE_ROWS ? columns->rows->cnt : PAGE_PIECE_ROWS;
    if (!make_next(columns, column)) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    bool same = is_same(column);
    struct way way = {PAGE_SAME, ZLIB_EFFORT_RUNS, 0};
    if (!same) {
        way = choose(columns, column, cnt);
    }
    unsigned char encoding = (unsigned char)way.encoding;
    page_block_begin(block, id, way.effort);
    page_block_write(block, &encoding, 1);
    if (same) {
        write_same(block, columns, column->column->min, &sums.facts);
    } else {
        write_rows(columns, column, way.encoding, block, &sums);
    }
    *facts = sums.facts;
    facts->is_wide = facts->is_wide || column->is_wide;
    return page_block_end(block);
}

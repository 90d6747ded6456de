// SPDX-License-Identifier: Apache-2.0
// A column of a page as a block: a byte that says how it is written, then a
// variable-length number for each row (seven bits a byte, the lowest first). Of the ways
// that suit it the one that packs the first rows best. One owner.
#ifndef FLAME_PROF_EXPORT_PAGE_COLUMN_H
#define FLAME_PROF_EXPORT_PAGE_COLUMN_H

#include "export/page_block.h"
#include "export/page_rows.h"

#include <stdint.h>

// Part of the page's format (docs/html.md): append only. "Signed" is zigzag: 0, -1, 1...
enum page_encoding {
    PAGE_SAME,      // one signed number for all rows
    PAGE_PLAIN,     // signed
    PAGE_STEPS,     // signed: difference to the row before
    PAGE_OWN,       // 0: as the last row of its key; else number + 1. Not negative
    PAGE_OWN_STEPS, // signed: difference to the last row of its key
    PAGE_NEXT,      // 0: what followed the number before last time; else number + 1
    PAGE_GAINED,    // signed: difference to the last row of its key and this row's delta
    PAGE_SORTED,    // not negative: the first of a cell; then differences
    PAGE_ENCODING_CNT
};

enum page_column_kind {
    PAGE_COLUMN_CODES,   // `column` has codes below code_cnt
    PAGE_COLUMN_NUMBERS, // `column` has any numbers; with `gains`, it may be PAGE_GAINED
    PAGE_COLUMN_STACKS,  // numbers of stacks
    PAGE_COLUMN_BITS,    // 1 where the row's bit is set
};

struct page_column {
    enum page_column_kind kind;
    const struct profile_column *column;
    const struct profile_column *gains; // or NULL
    const uint64_t *bits;               // numbers: the other rows are left out; NULL = none is
    uint32_t code_cnt;
    bool is_key;  // it is what the rows' keys are
    bool is_wide; // as the gains are
};

enum { PAGE_PIECE_ROWS = 1 << 16, PAGE_COLUMN_BYTES = 1 + PAGE_PIECE_ROWS * 10 };

// Over the rows of the page.
struct page_column_facts {
    int64_t min;
    int64_t max;
    int64_t sum;  // 64 bits, wraps around
    bool is_wide; // numbers or sums of them may be beyond 2^53, what a double holds
};

struct page_columns {
    const struct page_rows *rows; // borrowed
    bool is_sorted;               // by key within a cell
    int64_t *last;                // by key
    uint32_t *next;               // by code
    uint32_t next_cnt;
    uint32_t *keys; // of a piece of the rows
    int64_t *values;
    int64_t *gains;
    uint8_t *is_first;    // of its cell
    unsigned char *bytes; // PAGE_COLUMN_BYTES
};

// False, with the reason; _deinit is harmless either way.
bool page_columns_init(struct page_columns *columns, const struct page_rows *rows, bool is_sorted,
                       struct error *err);
void page_columns_deinit(struct page_columns *columns);

// Writes a column as the block `id`. False, with the reason, when out of memory or the
// block failed.
bool page_columns_write(struct page_columns *columns, const struct page_column *column,
                        struct page_block *block, const char *id, struct page_column_facts *facts,
                        struct error *err);

// Appends a number, and returns what is behind it.
static inline unsigned char *page_varint(unsigned char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (unsigned char)value;
    return at;
}

#endif

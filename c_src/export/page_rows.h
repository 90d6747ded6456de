// SPDX-License-Identifier: Apache-2.0
// The rows of a page: those selected, in cells of time (as of query/heatmap.h), and
// what their stacks are called there. A row's time is that of its cell, no finer. One
// owner; constant once it is made.
#ifndef FLAME_PROF_EXPORT_PAGE_ROWS_H
#define FLAME_PROF_EXPORT_PAGE_ROWS_H

#include "query/heatmap.h"
#include "query/selection.h"
#include "query/stack_view.h"

#include <stdint.h>

enum {
    PAGE_MAX_ROWS = 1 << 27,
    PAGE_MAX_CELLS = 1 << 24, // four days at 20 ms
    PAGE_KEY_STACK = -1,
};

struct page_cell {
    uint32_t cell; // its number, ascending
    uint32_t end;  // behind its last row
};

struct page_rows {
    const struct profile *profile; // borrowed
    uint32_t *rows;                // in the order of the page
    uint32_t cnt;
    // What is likely the same in rows of the same key: a dimension (the thread), or the
    // stack where there is no such.
    int key;
    uint32_t key_cnt;
    // Cells
    uint64_t begin_ns; // of cell 0
    uint64_t column_ns;
    uint32_t row_cnt;        // cells of a column
    struct page_cell *cells; // those with rows
    uint32_t cell_cnt;
    // Stacks, numbered from 0 by how many rows have them, the most first.
    struct stack_view view;
    uint32_t *number_of; // by node of the view; UINT32_MAX = no row has it
    uint32_t *stacks;    // by number: the node of the view
    uint32_t stack_cnt;
};

struct page_rows_options {
    struct heatmap_options heatmap;
    bool splits_lines;
    int key;          // a dimension or PAGE_KEY_STACK
    bool keeps_order; // of time within a cell; else ordered by key
};

// False, with the reason; _deinit is harmless either way.
bool page_rows_init(struct page_rows *rows, const struct selection *selection,
                    const struct page_rows_options *options, struct error *err);
void page_rows_deinit(struct page_rows *rows);

static inline uint32_t page_rows_stack(const struct page_rows *rows, uint64_t row)
{
    return rows->number_of[stack_view_of(&rows->view, rows->profile->stack[row])];
}

// The keys of `cnt` rows of the page, from `first` on: 0 to key_cnt - 1.
void page_rows_keys(const struct page_rows *rows, uint32_t first, uint32_t cnt, uint32_t *keys);

#endif

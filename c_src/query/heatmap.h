// SPDX-License-Identifier: Apache-2.0
// Sums over a grid of time: columns (of a second, usually) by rows within a column.
// A cell without any row that has the metric is not the same as a cell of sum 0.
#ifndef FLAME_PROF_QUERY_HEATMAP_H
#define FLAME_PROF_QUERY_HEATMAP_H

#include "base/error.h"
#include "query/selection.h"
#include "query/weight.h"

#include <stdbool.h>
#include <stdint.h>

enum { HEATMAP_MAX_CELLS = 64 << 20, HEATMAP_DEFAULT_ROWS = 50 };

struct heatmap_options {
    struct weight weight;
    uint32_t row_cnt;   // of a column; 0 = 50
    uint64_t column_ns; // 0 = a second
};

struct heatmap {
    uint64_t begin_ns; // of the first column: a multiple of column_ns
    uint64_t column_ns;
    uint32_t row_cnt;
    uint32_t column_cnt; // 0 when nothing is selected
    int64_t *sums;       // [column * row_cnt + row], row 0 the earliest
    uint64_t *counts;    // samples in it; 0 = the cell is empty (null)
    int64_t min;         // of the cells that are not empty; both 0 when all are
    int64_t max;
    int64_t total;
};

// Where the cells of a heatmap begin and end.
struct heatmap_grid {
    uint64_t begin_ns; // of cell 0
    uint64_t column_ns;
    uint32_t row_cnt; // cells of a column
};

// With the defaults where the options have 0; begin_ns is 0.
struct heatmap_grid heatmap_grid_of(const struct heatmap_options *options);

// The cell of a time, which is not before begin_ns: column * row_cnt + row.
uint64_t heatmap_grid_cell(const struct heatmap_grid *grid, uint64_t time_ns);

// The first nanosecond behind a cell.
uint64_t heatmap_grid_end(const struct heatmap_grid *grid, uint64_t cell);

// Columns go from that of the first selected row to that of the last one, those in
// which nothing was selected included. False, with the reason: too many cells, memory,
// a file that cannot be read. _deinit is harmless either way.
bool heatmap_init(struct heatmap *heatmap, const struct selection *selection,
                  const struct heatmap_options *options, struct error *err);
void heatmap_deinit(struct heatmap *heatmap);

#endif

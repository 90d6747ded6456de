// SPDX-License-Identifier: Apache-2.0
#include "query/heatmap.h"

#include "query/weight_total.h"

#include <stdlib.h>

// --- cells and rows of the profile: both go up with time ------------------------

struct heatmap_grid heatmap_grid_of(const struct heatmap_options *options)
{
    return (struct heatmap_grid){
        .column_ns = options->column_ns == 0 ? CLOCK_NS_PER_S : options->column_ns,
        .row_cnt = options->row_cnt == 0 ? HEATMAP_DEFAULT_ROWS : options->row_cnt,
    };
}

uint64_t heatmap_grid_cell(const struct heatmap_grid *grid, uint64_t time_ns)
{
    uint64_t column = (time_ns - grid->begin_ns) / grid->column_ns;
    uint64_t offset_ns = time_ns - grid->begin_ns - column * grid->column_ns;
    unsigned __int128 row = (unsigned __int128)offset_ns * grid->row_cnt / grid->column_ns;
    return column * grid->row_cnt + (uint64_t)row;
}

uint64_t heatmap_grid_end(const struct heatmap_grid *grid, uint64_t cell)
{
    uint64_t column = cell / grid->row_cnt;
    unsigned __int128 scaled = (unsigned __int128)(cell % grid->row_cnt + 1) * grid->column_ns;
    uint64_t offset_ns = (uint64_t)((scaled + grid->row_cnt - 1) / grid->row_cnt);
    return grid->begin_ns + column * grid->column_ns + offset_ns;
}

static bool make_grid(struct heatmap *heatmap, const struct selection *selection,
                      const struct heatmap_options *options, struct error *err)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    struct heatmap_grid grid = heatmap_grid_of(options);
    *heatmap = (struct heatmap){.column_ns = grid.column_ns, .row_cnt = grid.row_cnt};
    selection_times(selection, &first_ns, &last_ns);
    heatmap->begin_ns = first_ns / heatmap->column_ns * heatmap->column_ns;
    if (selection->row_cnt == 0) {
        return true;
    }
    uint64_t column_cnt = (last_ns - heatmap->begin_ns) / heatmap->column_ns + 1;
    if (column_cnt > HEATMAP_MAX_CELLS / heatmap->row_cnt) {
        return error_set(err, ERROR_LIMIT,
                         "heatmap: %llu columns of %u rows are too many; use wider columns, fewer "
                         "rows or a shorter range",
                         (unsigned long long)column_cnt, heatmap->row_cnt);
    }
    heatmap->column_cnt = (uint32_t)column_cnt;
    size_t cell_cnt = (size_t)column_cnt * heatmap->row_cnt;
    heatmap->sums = calloc(cell_cnt, sizeof *heatmap->sums);
    heatmap->counts = calloc(cell_cnt, sizeof *heatmap->counts);
    return (heatmap->sums != NULL && heatmap->counts != NULL) ||
           error_set(err, ERROR_NO_MEMORY, "heatmap: out of memory");
}

// The first row from `row` on that is not before `time_ns`: steps that double, then
// halve, as it is near.
static uint64_t row_at(const uint64_t *time_ns, uint64_t row, uint64_t end, uint64_t wanted_ns)
{
    uint64_t step = 1;
    uint64_t low = row; // all before it are too early
    while (low + step < end && time_ns[low + step] < wanted_ns) {
        low += step;
        step *= 2;
    }
    uint64_t high = low + step < end ? low + step : end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (time_ns[middle] < wanted_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// --- sums ---------------------------------------------------------------------

static void fill(struct heatmap *heatmap, const struct selection *selection,
                 const struct weight_reader *reader)
{
    const uint64_t *time_ns = selection->profile->time_ns;
    struct heatmap_grid grid = {heatmap->begin_ns, heatmap->column_ns, heatmap->row_cnt};
    uint64_t row = row_at(time_ns, selection->first, selection->end, heatmap->begin_ns);
    uint64_t cell_cnt = (uint64_t)heatmap->column_cnt * heatmap->row_cnt;
    bool is_first = true;
    while (row < selection->end) {
        uint64_t cell = heatmap_grid_cell(&grid, time_ns[row]);
        if (cell >= cell_cnt) {
            break; // behind the last row that is selected
        }
        uint64_t next = row_at(time_ns, row, selection->end, heatmap_grid_end(&grid, cell));
        const uint8_t *mask =
            selection->mask == NULL ? NULL : selection->mask + (row - selection->first);
        struct weight_total total = weight_total_of(reader, mask, row, next - row);
        row = next;
        if (total.row_cnt == 0) {
            continue;
        }
        heatmap->sums[cell] = total.sum;
        heatmap->counts[cell] = total.row_cnt;
        heatmap->total = weight_sum(heatmap->total, total.sum);
        heatmap->min = is_first || total.sum < heatmap->min ? total.sum : heatmap->min;
        heatmap->max = is_first || total.sum > heatmap->max ? total.sum : heatmap->max;
        is_first = false;
    }
}

bool heatmap_init(struct heatmap *heatmap, const struct selection *selection,
                  const struct heatmap_options *options, struct error *err)
{
    struct weight_reader reader;
    *heatmap = (struct heatmap){.row_cnt = 0};
    if (!weight_open(selection->profile, options->weight, &reader, err) ||
        !make_grid(heatmap, selection, options, err)) {
        return false;
    }
    if (heatmap->column_cnt > 0) {
        fill(heatmap, selection, &reader);
    }
    return true;
}

void heatmap_deinit(struct heatmap *heatmap)
{
    free(heatmap->sums);
    free(heatmap->counts);
    *heatmap = (struct heatmap){.row_cnt = 0};
}

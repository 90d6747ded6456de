// SPDX-License-Identifier: Apache-2.0
#include "query/heatmap.h"

#include <stdlib.h>

static bool make_grid(struct heatmap *heatmap, const struct selection *selection,
                      const struct heatmap_options *options, struct error *err)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    *heatmap = (struct heatmap){
        .column_ns = options->column_ns == 0 ? CLOCK_NS_PER_S : options->column_ns,
        .row_cnt = options->row_cnt == 0 ? HEATMAP_DEFAULT_ROWS : options->row_cnt,
    };
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

// --- cells and rows of the profile: both go up with time ------------------------

static uint64_t cell_of(const struct heatmap *heatmap, uint64_t time_ns)
{
    uint64_t column = (time_ns - heatmap->begin_ns) / heatmap->column_ns;
    uint64_t offset_ns = time_ns - heatmap->begin_ns - column * heatmap->column_ns;
    unsigned __int128 row = (unsigned __int128)offset_ns * heatmap->row_cnt / heatmap->column_ns;
    return column * heatmap->row_cnt + (uint64_t)row;
}

// The first nanosecond behind a cell.
static uint64_t end_of_cell(const struct heatmap *heatmap, uint64_t cell)
{
    uint64_t column = cell / heatmap->row_cnt;
    unsigned __int128 scaled =
        (unsigned __int128)(cell % heatmap->row_cnt + 1) * heatmap->column_ns;
    uint64_t offset_ns = (uint64_t)((scaled + heatmap->row_cnt - 1) / heatmap->row_cnt);
    return heatmap->begin_ns + column * heatmap->column_ns + offset_ns;
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

struct cell_sum {
    int64_t sum;
    uint64_t cnt;
};

static void add_block(const int64_t *weights, const uint8_t *mask, uint32_t cnt, uint64_t *sum)
{
    uint64_t partial = 0;
    if (mask == NULL) {
        for (uint32_t i = 0; i < cnt; i++) {
            partial += (uint64_t)weights[i];
        }
    } else {
        for (uint32_t i = 0; i < cnt; i++) {
            partial += (uint64_t)weights[i] & (0 - (uint64_t)mask[i]);
        }
    }
    *sum += partial;
}

static uint64_t count_rows(const struct weight_reader *reader, const uint8_t *mask, uint64_t first,
                           uint32_t cnt)
{
    uint64_t rows = 0;
    if (reader->metric == NULL && mask == NULL) {
        return cnt;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        rows += (mask == NULL || mask[i] != 0) && weight_is_present(reader, first + i) ? 1 : 0;
    }
    return rows;
}

static struct cell_sum sum_rows(const struct selection *selection,
                                const struct weight_reader *reader, uint64_t first, uint64_t end)
{
    int64_t weights[WEIGHT_BLOCK_ROWS];
    uint64_t sum = 0;
    uint64_t rows = 0;
    for (uint64_t at = first; at < end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t cnt = end - at < WEIGHT_BLOCK_ROWS ? (uint32_t)(end - at) : WEIGHT_BLOCK_ROWS;
        const uint8_t *mask =
            selection->mask == NULL ? NULL : selection->mask + (at - selection->first);
        uint64_t counted = count_rows(reader, mask, at, cnt);
        rows += counted;
        if (reader->column == NULL) {
            sum += counted;
        } else if (reader->column->width == 0 && reader->form <= WEIGHT_DELTA) {
            sum += counted * (uint64_t)reader->column->min;
        } else if (counted > 0) {
            weight_read(reader, at, cnt, weights);
            add_block(weights, mask, cnt, &sum);
        }
    }
    return (struct cell_sum){(int64_t)sum, rows};
}

static void fill(struct heatmap *heatmap, const struct selection *selection,
                 const struct weight_reader *reader)
{
    const uint64_t *time_ns = selection->profile->time_ns;
    uint64_t row = row_at(time_ns, selection->first, selection->end, heatmap->begin_ns);
    uint64_t cell_cnt = (uint64_t)heatmap->column_cnt * heatmap->row_cnt;
    bool is_first = true;
    while (row < selection->end) {
        uint64_t cell = cell_of(heatmap, time_ns[row]);
        if (cell >= cell_cnt) {
            break; // behind the last row that is selected
        }
        uint64_t next = row_at(time_ns, row, selection->end, end_of_cell(heatmap, cell));
        struct cell_sum sum = sum_rows(selection, reader, row, next);
        row = next;
        if (sum.cnt == 0) {
            continue;
        }
        heatmap->sums[cell] = sum.sum;
        heatmap->counts[cell] = sum.cnt;
        heatmap->total = weight_sum(heatmap->total, sum.sum);
        heatmap->min = is_first || sum.sum < heatmap->min ? sum.sum : heatmap->min;
        heatmap->max = is_first || sum.sum > heatmap->max ? sum.sum : heatmap->max;
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

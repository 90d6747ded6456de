// SPDX-License-Identifier: Apache-2.0
#include "export/page_rows.h"

#include "export/page_order.h"

#include <stdlib.h>
#include <string.h>

static bool out_of_memory(struct error *err)
{
    return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
}

// --- which rows -----------------------------------------------------------------

static bool take_rows(struct page_rows *rows, const struct selection *selection, struct error *err)
{
    if (selection->row_cnt > PAGE_MAX_ROWS) {
        return error_set(err, ERROR_LIMIT,
                         "export: over %d samples are too many for a page; take less with --from, "
                         "--to or --filter",
                         PAGE_MAX_ROWS);
    }
    rows->rows = calloc(selection->row_cnt + 1, sizeof *rows->rows);
    if (rows->rows == NULL) {
        return out_of_memory(err);
    }
    for (uint64_t row = selection->first; row < selection->end; row++) {
        if (selection_has(selection, row)) {
            rows->rows[rows->cnt++] = (uint32_t)row;
        }
    }
    return true;
}

// --- cells ----------------------------------------------------------------------

static bool begin_cells(struct page_rows *rows, const struct selection *selection,
                        const struct heatmap_options *options, struct error *err)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    struct heatmap_grid grid = heatmap_grid_of(options);
    rows->column_ns = grid.column_ns;
    rows->row_cnt = grid.row_cnt;
    selection_times(selection, &first_ns, &last_ns);
    grid.begin_ns = rows->begin_ns = first_ns / grid.column_ns * grid.column_ns;
    if ((last_ns - grid.begin_ns) / grid.column_ns >= PAGE_MAX_CELLS / grid.row_cnt) {
        return error_set(err, ERROR_LIMIT,
                         "export: over %d cells of time are too many for a page; use a longer "
                         "--column, fewer --rows, or --from and --to",
                         PAGE_MAX_CELLS);
    }
    uint64_t cell_cnt = heatmap_grid_cell(&grid, last_ns) + 1;
    cell_cnt = cell_cnt < rows->cnt ? cell_cnt : rows->cnt;
    rows->cells = calloc(cell_cnt + 1, sizeof *rows->cells);
    return rows->cells != NULL || out_of_memory(err);
}

static void find_cells(struct page_rows *rows)
{
    struct heatmap_grid grid = {rows->begin_ns, rows->column_ns, rows->row_cnt};
    const uint64_t *time_ns = rows->profile->time_ns;
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < rows->cnt; i++) {
        if (i == 0 || time_ns[rows->rows[i]] >= end_ns) {
            uint64_t cell = heatmap_grid_cell(&grid, time_ns[rows->rows[i]]);
            end_ns = heatmap_grid_end(&grid, cell);
            rows->cells[rows->cell_cnt++].cell = (uint32_t)cell;
        }
        rows->cells[rows->cell_cnt - 1].end = i + 1;
    }
}

// --- stacks ---------------------------------------------------------------------

struct ranked_stack {
    uint32_t node;
    uint32_t cnt;
};

static int by_count(const void *left, const void *right)
{
    const struct ranked_stack *a = left;
    const struct ranked_stack *b = right;
    if (a->cnt != b->cnt) {
        return a->cnt > b->cnt ? -1 : 1;
    }
    return a->node < b->node ? -1 : a->node > b->node;
}

static bool make_view(struct page_rows *rows, bool splits_lines, struct error *err)
{
    const struct profile *profile = rows->profile;
    struct stack_view_options options = {.splits_lines = splits_lines};
    uint8_t *is_used = calloc(1, (size_t)profile->dictionary.node_cnt + 1);
    for (uint32_t i = 0; i < rows->cnt && is_used != NULL; i++) {
        is_used[profile->stack[rows->rows[i]]] = 1;
    }
    bool ok = is_used != NULL || out_of_memory(err);
    ok = ok && stack_view_init(&rows->view, profile, &options, is_used, err);
    free(is_used);
    return ok;
}

// Counts in number_of, then numbers.
static bool number_stacks(struct page_rows *rows, struct error *err)
{
    uint32_t node_cnt = rows->view.node_cnt > 0 ? rows->view.node_cnt : 1;
    rows->number_of = calloc(node_cnt, sizeof *rows->number_of);
    rows->stacks = malloc(node_cnt * sizeof *rows->stacks);
    struct ranked_stack *ranked = malloc(node_cnt * sizeof *ranked);
    bool ok = rows->number_of != NULL && rows->stacks != NULL && ranked != NULL;
    for (uint32_t i = 0; i < rows->cnt && ok; i++) {
        rows->number_of[stack_view_of(&rows->view, rows->profile->stack[rows->rows[i]])]++;
    }
    for (uint32_t node = 0; node < node_cnt && ok; node++) {
        if (rows->number_of[node] > 0) {
            ranked[rows->stack_cnt++] = (struct ranked_stack){node, rows->number_of[node]};
        }
    }
    if (ok) {
        qsort(ranked, rows->stack_cnt, sizeof *ranked, by_count);
        memset(rows->number_of, 0xff, node_cnt * sizeof *rows->number_of);
    }
    for (uint32_t i = 0; i < rows->stack_cnt && ok; i++) {
        rows->stacks[i] = ranked[i].node;
        rows->number_of[ranked[i].node] = i;
    }
    free(ranked);
    return ok || out_of_memory(err);
}

// --- order ----------------------------------------------------------------------

void page_rows_keys(const struct page_rows *rows, uint32_t first, uint32_t cnt, uint32_t *keys)
{
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t row = rows->rows[first + i];
        keys[i] = rows->key == PAGE_KEY_STACK
                      ? page_rows_stack(rows, row)
                      : profile_code(rows->profile, (uint32_t)rows->key, row);
    }
}

static bool order_cells(struct page_rows *rows, struct error *err)
{
    struct page_order order = {.capacity = 0};
    bool ok = true;
    for (uint32_t i = 0; i < rows->cell_cnt && ok; i++) {
        uint32_t first = i == 0 ? 0 : rows->cells[i - 1].end;
        uint32_t cnt = rows->cells[i].end - first;
        ok = page_order_reserve(&order, cnt) || out_of_memory(err);
        if (ok) {
            page_rows_keys(rows, first, cnt, order.keys);
            page_order_sort(&order, rows->rows + first, cnt);
        }
    }
    page_order_deinit(&order);
    return ok;
}

// --- the whole ------------------------------------------------------------------

bool page_rows_init(struct page_rows *rows, const struct selection *selection,
                    const struct page_rows_options *options, struct error *err)
{
    *rows = (struct page_rows){.profile = selection->profile, .key = options->key};
    if (!take_rows(rows, selection, err) || !begin_cells(rows, selection, &options->heatmap, err)) {
        return false;
    }
    find_cells(rows);
    if (!make_view(rows, options->splits_lines, err) || !number_stacks(rows, err)) {
        return false;
    }
    rows->key_cnt = rows->key == PAGE_KEY_STACK ? rows->stack_cnt
                                                : rows->profile->dimensions[rows->key].value_cnt;
    return options->keeps_order || order_cells(rows, err);
}

void page_rows_deinit(struct page_rows *rows)
{
    stack_view_deinit(&rows->view);
    free(rows->rows);
    free(rows->cells);
    free(rows->number_of);
    free(rows->stacks);
    *rows = (struct page_rows){.profile = NULL};
}

// SPDX-License-Identifier: Apache-2.0
// One HTML file that shows the profile without a server and without the network: the
// page of web/page/ and the samples in columns (docs/html.md). The page asks its own
// questions, so that what it needs is written, not answers. A column at a time: the
// memory it takes beside the profile's is a few bytes per sample.
#include "export/export_format.h"
#include "export/page_files.h"
#include "export/page_names.h"

#include <stdio.h>
#include <stdlib.h>

struct html {
    struct page_contents contents;
    struct page_columns columns;
    const struct profile *profile;
    struct page_block *block;
    struct error *err;
};

// --- what is in it ----------------------------------------------------------------

// Those asked for by name, or what there is but the number of the CPU, which is another
// one in every sample. The thread in any case where there are metrics: those of a thread are
// what its next ones are told from.
static bool has_dimension(const struct page_contents *contents, uint32_t dimension)
{
    const struct export_request *request = contents->request;
    const struct profile *profile = request->selection->profile;
    if (dimension == PROFILE_TID && contents->metric_cnt > 0) {
        return true;
    }
    for (uint32_t i = 0; i < request->flame.dimension_cnt; i++) {
        if (request->flame.dimensions[i] == dimension) {
            return true;
        }
    }
    if (request->has_categories || dimension == PROFILE_CPU) {
        return false;
    }
    uint32_t uninteresting = dimension == PROFILE_SOURCE ? 2 : 1;
    return profile->dimensions[dimension].value_cnt > uninteresting;
}

static void choose(struct page_contents *contents)
{
    const struct export_request *request = contents->request;
    const struct profile *profile = request->selection->profile;
    bool has_form = request->weight.form >= WEIGHT_VALUE;
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        if (!request->has_weight || (has_form && request->weight.metric == i)) {
            contents->metrics[contents->metric_cnt++].metric = i;
        }
    }
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        if (has_dimension(contents, i)) {
            contents->dimensions[contents->dimension_cnt++] = i;
        }
    }
}

static bool make_rows(struct html *html)
{
    struct page_contents *contents = &html->contents;
    struct page_rows_options options = {
        .heatmap = contents->request->heatmap,
        .splits_lines = contents->request->flame.view.splits_lines,
        .key = PAGE_KEY_STACK,
        // Ticks of a sampler go by thread as it is.
        .keeps_order = contents->metric_cnt > 0,
    };
    for (uint32_t i = 0; i < contents->dimension_cnt; i++) {
        if (contents->dimensions[i] == PROFILE_TID) {
            options.key = PROFILE_TID;
        }
    }
    return page_rows_init(&contents->rows, contents->request->selection, &options, html->err) &&
           page_columns_init(&html->columns, &contents->rows, !options.keeps_order, html->err);
}

// --- columns ----------------------------------------------------------------------

static bool write_column(struct html *html, const struct page_column *column, const char *id,
                         struct page_column_facts *facts)
{
    return page_columns_write(&html->columns, column, html->block, id, facts, html->err);
}

// How many cells without a row are before each, and its rows.
static bool write_cells(struct html *html)
{
    const struct page_rows *rows = &html->contents.rows;
    unsigned char *bytes = html->columns.bytes;
    unsigned char *at = bytes;
    page_block_begin(html->block, "cells", ZLIB_EFFORT_FULL);
    for (uint32_t i = 0; i < rows->cell_cnt; i++) {
        uint32_t before = i == 0 ? 0 : rows->cells[i - 1].cell + 1;
        at = page_varint(at, rows->cells[i].cell - before);
        at = page_varint(at, rows->cells[i].end - (i == 0 ? 0 : rows->cells[i - 1].end));
        if (at > bytes + PAGE_COLUMN_BYTES / 2) {
            page_block_write(html->block, bytes, (size_t)(at - bytes));
            at = bytes;
        }
    }
    page_block_write(html->block, bytes, (size_t)(at - bytes));
    return page_block_end(html->block);
}

static bool write_stacks(struct html *html)
{
    struct page_column_facts facts;
    struct page_column column = {.kind = PAGE_COLUMN_STACKS,
                                 .is_key = html->contents.rows.key == PAGE_KEY_STACK};
    return write_column(html, &column, "stack", &facts);
}

static bool write_dimensions(struct html *html)
{
    struct page_column_facts facts;
    for (uint32_t i = 0; i < html->contents.dimension_cnt; i++) {
        uint32_t idx = html->contents.dimensions[i];
        const struct profile_dimension *dimension = &html->profile->dimensions[idx];
        struct page_column column = {.kind = PAGE_COLUMN_CODES,
                                     .column = &dimension->codes,
                                     .code_cnt = dimension->value_cnt,
                                     .is_key = (int)idx == html->contents.rows.key};
        char id[32];
        (void)snprintf(id, sizeof id, "dimension%u", i);
        if (!write_column(html, &column, id, &facts)) {
            return false;
        }
    }
    return true;
}

static bool write_metric(struct html *html, uint32_t i)
{
    struct page_metric *metric = &html->contents.metrics[i];
    const struct profile_metric *origin = &html->profile->metrics[metric->metric];
    struct page_column_facts facts;
    struct page_column column = {.kind = PAGE_COLUMN_BITS, .bits = origin->present};
    char id[32];
    (void)snprintf(id, sizeof id, "present%u", i);
    if (origin->present != NULL && !write_column(html, &column, id, &facts)) {
        return false;
    }
    column.kind = PAGE_COLUMN_NUMBERS;
    column.column = profile_metric_column(html->profile, metric->metric, PROFILE_DELTA, html->err);
    (void)snprintf(id, sizeof id, "delta%u", i);
    if (column.column == NULL ||
        (origin->has_delta && !write_column(html, &column, id, &metric->delta))) {
        return false;
    }
    column.gains = origin->has_delta ? column.column : NULL;
    column.is_wide = metric->delta.is_wide;
    column.column = profile_metric_column(html->profile, metric->metric, PROFILE_VALUE, html->err);
    (void)snprintf(id, sizeof id, "value%u", i);
    return column.column != NULL && write_column(html, &column, id, &metric->value);
}

static bool write_weights(struct html *html)
{
    struct page_column column = {.kind = PAGE_COLUMN_NUMBERS, .column = &html->profile->period};
    if (!write_column(html, &column, "period", &html->contents.period)) {
        return false;
    }
    for (uint32_t i = 0; i < html->contents.metric_cnt; i++) {
        if (!write_metric(html, i)) {
            return false;
        }
    }
    return true;
}

// --- the page ---------------------------------------------------------------------

static bool write_page(struct html *html)
{
    page_block_plain(html->block, page_files_head());
    bool ok = write_cells(html) && write_stacks(html) && write_dimensions(html) &&
              write_weights(html) && page_names_write(&html->contents, html->block, html->err);
    page_block_plain(html->block, page_files_scripts());
    return ok && page_block_is_ok(html->block);
}

bool export_html(const struct export_request *request, const struct byte_output *output,
                 struct error *err)
{
    struct html *html = calloc(1, sizeof *html);
    if (html == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    html->contents.request = request;
    html->profile = request->selection->profile;
    html->err = err;
    html->block = page_block_create(output, err);
    choose(&html->contents);
    bool ok = html->block != NULL && make_rows(html) && write_page(html);
    page_columns_deinit(&html->columns);
    page_rows_deinit(&html->contents.rows);
    page_block_destroy(html->block);
    free(html);
    return ok;
}

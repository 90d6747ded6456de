// SPDX-License-Identifier: Apache-2.0
#include "export/page_names.h"

#include "base/version.h"
#include "export/text_output.h"
#include "export/weight_list.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PAGE_FORMAT_VERSION = 1, PIECE_BYTES = 1 << 16, NUMBER_BYTES = 10 };

struct names {
    const struct page_contents *contents;
    const struct profile *profile;
    struct page_block *block;
    uint32_t *node_ids;  // by node of the view: its number in the page + 1; 0 = not in it
    uint32_t *frame_ids; // by frame of the profile: the same
    frame_id *frames;    // by number in the page
    uint32_t node_cnt;
    uint32_t frame_cnt;
    unsigned char *bytes;
    size_t len;
    struct text_output json;
};

// --- nodes and stacks -------------------------------------------------------------

static void put_number(struct names *names, uint32_t number)
{
    if (names->len > PIECE_BYTES - NUMBER_BYTES) {
        page_block_write(names->block, names->bytes, names->len);
        names->len = 0;
    }
    names->len = (size_t)(page_varint(names->bytes + names->len, number) - names->bytes);
}

static bool end_numbers(struct names *names)
{
    page_block_write(names->block, names->bytes, names->len);
    names->len = 0;
    return page_block_end(names->block);
}

// Stacks and what is below them; 0, the empty stack, in any case.
static void mark_nodes(struct names *names)
{
    const struct page_rows *rows = &names->contents->rows;
    names->node_ids[0] = 1;
    for (uint32_t i = 0; i < rows->stack_cnt; i++) {
        for (uint32_t node = rows->stacks[i]; names->node_ids[node] == 0;
             node = rows->view.nodes[node].parent) {
            names->node_ids[node] = 1;
        }
    }
}

static uint32_t frame_number(struct names *names, frame_id frame)
{
    if (names->frame_ids[frame] == 0) {
        names->frames[names->frame_cnt++] = frame;
        names->frame_ids[frame] = names->frame_cnt;
    }
    return names->frame_ids[frame] - 1;
}

// Of each but the first: how far back its parent is, and its frame.
static bool write_nodes(struct names *names)
{
    const struct stack_view *view = &names->contents->rows.view;
    mark_nodes(names);
    names->node_cnt = 1;
    page_block_begin(names->block, "nodes", ZLIB_EFFORT_FULL);
    for (uint32_t node = 1; node < view->node_cnt; node++) {
        if (names->node_ids[node] != 0) {
            put_number(names, names->node_cnt - (names->node_ids[view->nodes[node].parent] - 1));
            put_number(names, frame_number(names, view->nodes[node].frame));
            names->node_ids[node] = ++names->node_cnt;
        }
    }
    return end_numbers(names);
}

static bool write_stacks(struct names *names)
{
    const struct page_rows *rows = &names->contents->rows;
    page_block_begin(names->block, "stacks", ZLIB_EFFORT_FULL);
    for (uint32_t i = 0; i < rows->stack_cnt; i++) {
        put_number(names, names->node_ids[rows->stacks[i]] - 1);
    }
    return end_numbers(names);
}

// --- JSON -------------------------------------------------------------------------

static void put_key(struct names *names, const char *key)
{
    text_output_format(&names->json, "\"%s\":", key);
}

static void put_text(struct names *names, const char *key, struct text text)
{
    put_key(names, key);
    text_output_json(&names->json, text);
    text_output_char(&names->json, ',');
}

static void put_u64(struct names *names, const char *key, uint64_t value)
{
    text_output_format(&names->json, "\"%s\":%" PRIu64 ",", key, value);
}

// More than a double holds.
static void put_exact(struct names *names, const char *key, int64_t value)
{
    text_output_format(&names->json, "\"%s\":\"%" PRId64 "\",", key, value);
}

static void put_bool(struct names *names, const char *key, bool value)
{
    text_output_format(&names->json, "\"%s\":%s,", key, value ? "true" : "false");
}

// Closes what put_... left with a comma.
static void end_object(struct names *names)
{
    text_output_string(&names->json, "\"\":0}");
}

static void separate(struct names *names, uint32_t i)
{
    if (i > 0) {
        text_output_char(&names->json, ',');
    }
}

static void put_column(struct names *names, const char *key, const struct page_column_facts *facts)
{
    put_key(names, key);
    text_output_char(&names->json, '{');
    put_exact(names, "min", facts->min);
    put_exact(names, "max", facts->max);
    put_exact(names, "sum", facts->sum);
    put_bool(names, "wide", facts->is_wide);
    end_object(names);
    text_output_char(&names->json, ',');
}

static void put_weight(struct names *names, struct weight weight)
{
    static const char *const FORMS[] = {"samples", "period", "value", "delta", "inc", "dec"};
    put_key(names, "weight");
    text_output_char(&names->json, '{');
    put_text(names, "form", text_of(FORMS[weight.form]));
    for (uint32_t i = 0; i < names->contents->metric_cnt; i++) {
        if (weight.form >= WEIGHT_VALUE && names->contents->metrics[i].metric == weight.metric) {
            put_u64(names, "metric", i);
        }
    }
    end_object(names);
    text_output_char(&names->json, ',');
}

static void put_metrics(struct names *names)
{
    put_key(names, "metrics");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < names->contents->metric_cnt; i++) {
        const struct page_metric *metric = &names->contents->metrics[i];
        const struct profile_metric *origin = &names->profile->metrics[metric->metric];
        separate(names, i);
        text_output_char(&names->json, '{');
        put_text(names, "name", profile_text(names->profile, origin->name));
        put_text(names, "unit", profile_text(names->profile, origin->unit));
        put_bool(names, "has_delta", origin->has_delta);
        put_bool(names, "is_partial", origin->present != NULL);
        put_column(names, "value", &metric->value);
        put_column(names, "delta", &metric->delta);
        end_object(names);
    }
    text_output_string(&names->json, "],");
}

// A merged profile's sources by name.
static struct text value_text(const struct names *names, uint32_t dimension, uint32_t code,
                              char digits[PROFILE_DIGITS_BYTES])
{
    const struct profile *profile = names->profile;
    uint64_t source = (uint64_t)profile->dimensions[dimension].values[code];
    if (dimension == PROFILE_SOURCE && source < profile->source_cnt &&
        profile->sources[source].name != 0) {
        return profile_text(profile, profile->sources[source].name);
    }
    return profile_code_text(profile, dimension, code, digits);
}

static void put_dimensions(struct names *names)
{
    char digits[PROFILE_DIGITS_BYTES];
    put_key(names, "dimensions");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < names->contents->dimension_cnt; i++) {
        uint32_t dimension = names->contents->dimensions[i];
        const struct profile_dimension *origin = &names->profile->dimensions[dimension];
        separate(names, i);
        text_output_char(&names->json, '{');
        put_text(names, "name", profile_text(names->profile, origin->name));
        put_key(names, "values");
        text_output_string(&names->json, "[\"\"");
        for (uint32_t code = 1; code < origin->value_cnt; code++) {
            text_output_char(&names->json, ',');
            text_output_json(&names->json, value_text(names, dimension, code, digits));
        }
        text_output_string(&names->json, "],");
        end_object(names);
    }
    text_output_string(&names->json, "],");
}

static int place_of(const struct names *names, uint32_t dimension)
{
    for (uint32_t i = 0; i < names->contents->dimension_cnt; i++) {
        if (names->contents->dimensions[i] == dimension) {
            return (int)i;
        }
    }
    return -1;
}

// The root frames to begin with, and what the rows' keys are.
static void put_roles(struct names *names)
{
    const struct flame_options *flame = &names->contents->request->flame;
    const struct page_rows *rows = &names->contents->rows;
    uint32_t cnt = 0;
    put_key(names, "roots");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < flame->dimension_cnt; i++) {
        int place = place_of(names, flame->dimensions[i]);
        if (place >= 0) {
            separate(names, cnt++);
            text_output_i64(&names->json, place);
        }
    }
    text_output_string(&names->json, "],\"key\":");
    text_output_i64(&names->json,
                    rows->key == PAGE_KEY_STACK ? -1 : place_of(names, (uint32_t)rows->key));
    text_output_char(&names->json, ',');
    put_u64(names, "key_cnt", rows->key_cnt);
}

static void put_frames(struct names *names)
{
    bool has_lines = names->contents->request->flame.view.splits_lines;
    put_key(names, "frames");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < names->frame_cnt; i++) {
        const struct profile_frame *frame = &names->profile->dictionary.frames[names->frames[i]];
        separate(names, i);
        text_output_char(&names->json, '[');
        text_output_json(&names->json, profile_text(names->profile, frame->name));
        text_output_char(&names->json, ',');
        text_output_json(&names->json, profile_text(names->profile, frame->file));
        text_output_format(&names->json, ",%u,%u]", frame->kind, has_lines ? frame->line : 0);
    }
    text_output_string(&names->json, "],");
}

static void put_facts(struct names *names, const struct profile_source *source)
{
    put_key(names, "facts");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < source->fact_cnt; i++) {
        separate(names, i);
        text_output_char(&names->json, '[');
        text_output_json(&names->json, profile_text(names->profile, source->facts[i].key));
        text_output_char(&names->json, ',');
        text_output_json(&names->json, profile_text(names->profile, source->facts[i].value));
        text_output_char(&names->json, ']');
    }
    text_output_string(&names->json, "],");
}

static void put_sources(struct names *names)
{
    put_key(names, "sources");
    text_output_char(&names->json, '[');
    for (uint32_t i = 0; i < names->profile->source_cnt; i++) {
        const struct profile_source *source = &names->profile->sources[i];
        separate(names, i);
        text_output_char(&names->json, '{');
        put_text(names, "name", profile_text(names->profile, source->name));
        put_bool(names, "is_incomplete", source->is_incomplete);
        put_facts(names, source);
        end_object(names);
    }
    text_output_string(&names->json, "],");
}

static void put_input(struct names *names)
{
    const struct profile_input_stats *stats = &names->profile->stats;
    put_u64(names, "malformed_cnt", stats->malformed_cnt);
    put_u64(names, "dropped_cnt", stats->dropped_cnt);
    put_u64(names, "refused_cnt", stats->refused_cnt);
}

static void put_times(struct names *names)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    const struct page_rows *rows = &names->contents->rows;
    selection_times(names->contents->request->selection, &first_ns, &last_ns);
    put_exact(names, "begin_ns", (int64_t)rows->begin_ns);
    put_exact(names, "first_ns", (int64_t)first_ns);
    put_exact(names, "last_ns", (int64_t)last_ns);
    put_exact(names, "unix_ns", (int64_t)profile_unix_ns(names->profile, rows->begin_ns));
    put_u64(names, "column_ns", rows->column_ns);
    put_u64(names, "row_cnt", rows->row_cnt);
    put_u64(names, "cell_cnt", rows->cell_cnt);
}

static bool write_json(struct names *names)
{
    const struct page_contents *contents = names->contents;
    page_block_begin(names->block, "names", ZLIB_EFFORT_FULL);
    text_output_char(&names->json, '{');
    put_u64(names, "version", PAGE_FORMAT_VERSION);
    put_text(names, "writer", TEXT("flameprof " FLAME_PROF_VERSION));
    put_u64(names, "samples", contents->rows.cnt);
    put_u64(names, "samples_of_file", names->profile->row_cnt);
    put_times(names);
    put_weight(names, contents->request->weight);
    put_text(names, "period_name", text_of(weight_list_period_name(names->profile)));
    put_column(names, "period", &contents->period);
    put_metrics(names);
    put_dimensions(names);
    put_roles(names);
    put_u64(names, "node_cnt", names->node_cnt);
    put_u64(names, "stack_cnt", contents->rows.stack_cnt);
    put_frames(names);
    put_sources(names);
    put_input(names);
    end_object(names);
    return text_output_finish(&names->json) && page_block_end(names->block);
}

static bool to_block(void *context, const void *bytes, size_t len, struct error *err)
{
    (void)err; // page_block_end tells
    page_block_write(context, bytes, len);
    return true;
}

static bool make_tables(struct names *names)
{
    const struct stack_view *view = &names->contents->rows.view;
    uint32_t node_cnt = view->node_cnt > 0 ? view->node_cnt : 1;
    uint32_t frame_cnt = names->profile->dictionary.frame_cnt + 1;
    names->node_ids = calloc(node_cnt, sizeof *names->node_ids);
    names->frame_ids = calloc(frame_cnt, sizeof *names->frame_ids);
    names->frames = malloc(frame_cnt * sizeof *names->frames);
    names->bytes = malloc(PIECE_BYTES);
    return names->node_ids != NULL && names->frame_ids != NULL && names->frames != NULL &&
           names->bytes != NULL;
}

bool page_names_write(const struct page_contents *contents, struct page_block *block,
                      struct error *err)
{
    struct byte_output output = {to_block, block};
    struct names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    names->contents = contents;
    names->profile = contents->request->selection->profile;
    names->block = block;
    text_output_init(&names->json, &output, err);
    bool ok = (make_tables(names) || error_set(err, ERROR_NO_MEMORY, "export: out of memory")) &&
              write_nodes(names) && write_stacks(names) && write_json(names);
    free(names->node_ids);
    free(names->frame_ids);
    free(names->frames);
    free(names->bytes);
    free(names);
    return ok;
}

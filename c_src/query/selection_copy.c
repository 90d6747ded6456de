// SPDX-License-Identifier: Apache-2.0
#include "query/selection_copy.h"

#include <stdlib.h>

// What ids of the one profile are in the other.
struct copier {
    const struct profile *from;
    struct profile_builder *builder;
    struct profile *to;
    frame_id *frames;
    stack_id *stacks;
    uint32_t *codes[PROFILE_MAX_DIMENSIONS]; // by code
    int dimensions[PROFILE_MAX_DIMENSIONS];
    int metrics[PROFILE_MAX_METRICS];
    const struct profile_column *columns[PROFILE_MAX_METRICS][PROFILE_FORM_CNT];
    uint32_t *sources; // by number of the source
    struct error *err;
};

static string_id copy_string(const struct copier *copier, string_id id)
{
    return profile_builder_string(copier->builder, profile_text(copier->from, id));
}

// --- names --------------------------------------------------------------------

static bool copy_frames(struct copier *copier)
{
    const struct profile_dictionary *dictionary = &copier->from->dictionary;
    copier->frames = calloc((size_t)dictionary->frame_cnt + 1, sizeof *copier->frames);
    for (frame_id i = 1; copier->frames != NULL && i < dictionary->frame_cnt; i++) {
        struct profile_frame frame = dictionary->frames[i];
        frame.name = copy_string(copier, frame.name);
        frame.file = copy_string(copier, frame.file);
        copier->frames[i] = profile_dictionary_frame(&copier->to->dictionary, &frame);
    }
    return copier->frames != NULL;
}

static bool copy_stacks(struct copier *copier)
{
    const struct profile_dictionary *dictionary = &copier->from->dictionary;
    copier->stacks = calloc((size_t)dictionary->node_cnt + 1, sizeof *copier->stacks);
    for (stack_id i = 1; copier->stacks != NULL && i < dictionary->node_cnt; i++) {
        const struct profile_node *node = &dictionary->nodes[i];
        copier->stacks[i] = profile_dictionary_stack(
            &copier->to->dictionary, copier->stacks[node->parent], copier->frames[node->frame]);
    }
    return copier->stacks != NULL;
}

static void copy_code(struct copier *copier, uint32_t d, uint32_t code)
{
    const struct profile_dimension *dimension = &copier->from->dimensions[d];
    uint32_t to = (uint32_t)copier->dimensions[d];
    if (d == PROFILE_SOURCE) {
        int64_t source = dimension->values[code];
        bool is_known = source >= 0 && source < copier->from->source_cnt;
        copier->codes[d][code] =
            profile_builder_number(copier->builder, to, is_known ? copier->sources[source] : 0);
    } else if (dimension->kind == PROFILE_DIMENSION_NUMBER) {
        copier->codes[d][code] =
            profile_builder_number(copier->builder, to, dimension->values[code]);
    } else {
        struct text text = profile_text(copier->from, (string_id)dimension->values[code]);
        copier->codes[d][code] = profile_builder_text(copier->builder, to, text);
    }
}

static bool copy_dimensions(struct copier *copier)
{
    for (uint32_t d = 0; d < copier->from->dimension_cnt; d++) {
        const struct profile_dimension *dimension = &copier->from->dimensions[d];
        copier->dimensions[d] =
            profile_builder_dimension(copier->builder, profile_text(copier->from, dimension->name),
                                      dimension->kind, dimension->is_root_frame);
        copier->codes[d] = calloc((size_t)dimension->value_cnt + 1, sizeof *copier->codes[d]);
        if (copier->codes[d] == NULL) {
            return false;
        }
        for (uint32_t code = 1; code < dimension->value_cnt; code++) {
            if (copier->dimensions[d] != PROFILE_NONE) {
                copy_code(copier, d, code);
            }
        }
    }
    return true;
}

// False when a column cannot be read, with the reason.
static bool copy_metrics(struct copier *copier)
{
    for (uint32_t m = 0; m < copier->from->metric_cnt; m++) {
        const struct profile_metric *metric = &copier->from->metrics[m];
        copier->metrics[m] =
            profile_builder_metric(copier->builder, profile_text(copier->from, metric->name),
                                   profile_text(copier->from, metric->unit));
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            copier->columns[m][form] =
                profile_metric_column(copier->from, m, (enum profile_form)form, copier->err);
            if (copier->columns[m][form] == NULL) {
                return false;
            }
        }
    }
    return true;
}

// What a source says at its end is about all of its rows.
static void copy_facts(struct copier *copier, const struct profile_source *source, bool footers)
{
    for (uint32_t f = 0; f < source->fact_cnt; f++) {
        const struct profile_fact *fact = &source->facts[f];
        if (fact->is_footer == footers) {
            profile_builder_fact(copier->builder, profile_text(copier->from, fact->key),
                                 profile_text(copier->from, fact->value));
        }
    }
}

static bool copy_sources(struct copier *copier)
{
    const struct profile *from = copier->from;
    struct clock_anchor anchor = {0};
    copier->sources = calloc((size_t)from->source_cnt + 1, sizeof *copier->sources);
    for (uint32_t s = 0; copier->sources != NULL && s < from->source_cnt; s++) {
        const struct profile_source *source = &from->sources[s];
        copier->sources[s] =
            profile_builder_source(copier->builder, profile_text(from, source->name));
        copy_facts(copier, source, false);
        anchor = anchor.unix_ns == 0 ? source->anchor : anchor;
    }
    for (uint32_t i = 0; i < from->mapping_cnt; i++) {
        struct profile_mapping mapping = from->mappings[i];
        mapping.file = copy_string(copier, mapping.file);
        mapping.build_id = copy_string(copier, mapping.build_id);
        profile_builder_mapping(copier->builder, &mapping);
    }
    // All of its rows are on the axis of its first clock.
    profile_builder_anchor(copier->builder, anchor);
    return copier->sources != NULL;
}

// --- rows ---------------------------------------------------------------------

static void copy_metric(const struct copier *copier, uint32_t m, uint64_t row)
{
    const struct profile_metric *metric = &copier->from->metrics[m];
    const struct profile_column *values = copier->columns[m][PROFILE_VALUE];
    const struct profile_column *deltas = copier->columns[m][PROFILE_DELTA];
    if (copier->metrics[m] == PROFILE_NONE || values == NULL || deltas == NULL ||
        !profile_metric_present(metric, row)) {
        return;
    }
    uint32_t to = (uint32_t)copier->metrics[m];
    int64_t value = profile_column_at(values, row);
    if (metric->has_delta) {
        int64_t delta = profile_column_at(deltas, row);
        profile_builder_set_metric(copier->builder, to, value, delta);
    } else {
        profile_builder_set_value(copier->builder, to, value);
    }
}

static void copy_row(struct copier *copier, uint64_t row)
{
    const struct profile *from = copier->from;
    profile_builder_begin_row(copier->builder, from->time_ns[row], copier->stacks[from->stack[row]],
                              profile_column_at(&from->period, row));
    for (uint32_t d = 0; d < from->dimension_cnt; d++) {
        const uint32_t *codes = copier->codes[d];
        uint32_t code = codes == NULL ? 0 : codes[profile_code(from, d, row)];
        if (code != 0) {
            profile_builder_set_code(copier->builder, (uint32_t)copier->dimensions[d], code);
        }
    }
    for (uint32_t m = 0; m < from->metric_cnt; m++) {
        copy_metric(copier, m, row);
    }
    profile_builder_end_row(copier->builder);
}

static bool copy_names(struct copier *copier)
{
    return copy_sources(copier) && copy_frames(copier) && copy_stacks(copier) &&
           copy_dimensions(copier);
}

static void copy_rows(struct copier *copier, const struct selection *selection)
{
    for (uint64_t row = selection->first; row < selection->end; row++) {
        if (selection_has(selection, row)) {
            copy_row(copier, row);
        }
    }
}

bool selection_copy(const struct selection *selection, struct profile_builder *builder,
                    struct error *err)
{
    struct copier *copier = calloc(1, sizeof *copier);
    if (copier == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "copy: out of memory");
    }
    copier->from = selection->profile;
    copier->builder = builder;
    copier->to = profile_builder_profile(builder);
    copier->err = err;
    bool ok = (copy_names(copier) || error_set(err, ERROR_NO_MEMORY, "copy: out of memory")) &&
              copy_metrics(copier);
    if (ok) {
        copy_rows(copier, selection);
    }
    // Of a part, or of several sources, they would not be true, or not told apart.
    if (ok && selection->row_cnt == copier->from->row_cnt && copier->from->source_cnt == 1) {
        copy_facts(copier, &copier->from->sources[0], true);
    }
    for (uint32_t d = 0; d < selection->profile->dimension_cnt; d++) {
        free(copier->codes[d]);
    }
    free(copier->frames);
    free(copier->stacks);
    free(copier->sources);
    free(copier);
    return ok;
}

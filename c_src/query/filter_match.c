// SPDX-License-Identifier: Apache-2.0
#include "query/filter_match.h"

#include "query/filter_field.h"

#include <stdlib.h>
#include <string.h>

struct matcher {
    const struct filter *filter;
    const struct profile *profile;
    uint64_t first;
    uint64_t cnt;
    struct error *err;
    uint8_t *masks[FILTER_MAX_NODES]; // of nodes whose user has not come yet
};

static bool out_of_memory(const struct matcher *matcher)
{
    return error_set(matcher->err, ERROR_NO_MEMORY, "filter: out of memory");
}

// --- single values; what is negated is so later, for all rows at once -----------

static bool is_negated(enum filter_operator op)
{
    return op == FILTER_NOT_EQUAL || op == FILTER_NOT_MATCHES;
}

static bool text_fits(const struct filter_test *test, struct text text)
{
    return test->value.pattern != NULL ? pattern_matches(test->value.pattern, text)
                                       : text_equal(text, test->value.text);
}

// The numbers that pass, as a closed range; false when none can.
static bool bounds_of(const struct filter_test *test, int64_t *min, int64_t *max)
{
    const struct filter_value *value = &test->value;
    *min = INT64_MIN;
    *max = INT64_MAX;
    switch (test->op) {
    case FILTER_LESS:
        *max = value->number;
        return !__builtin_sub_overflow(value->number, 1, max);
    case FILTER_LESS_EQUAL:
        *max = value->number;
        return true;
    case FILTER_GREATER:
        return !__builtin_add_overflow(value->number, 1, min);
    case FILTER_GREATER_EQUAL:
        *min = value->number;
        return true;
    default:
        *min = value->number;
        *max = value->number;
        if (value->is_range) {
            *max = value->end == INT64_MAX ? INT64_MAX : value->end - 1;
        }
        return *min <= *max;
    }
}

// --- tables: one answer per frame, stack or code, then one look per row ----------

static void mark_frames(const struct matcher *matcher, const struct filter_test *test, bool is_file,
                        uint8_t *accepts)
{
    const struct profile_dictionary *dictionary = &matcher->profile->dictionary;
    accepts[0] = 0;
    for (uint32_t i = 1; i < dictionary->frame_cnt; i++) {
        const struct profile_frame *frame = &dictionary->frames[i];
        struct text text = profile_text(matcher->profile, is_file ? frame->file : frame->name);
        accepts[i] = text_fits(test, text);
    }
}

// Node 0 is the empty stack, and parents come first.
static void mark_stacks(const struct matcher *matcher, enum filter_field_kind kind,
                        const uint8_t *frames, uint8_t *accepts)
{
    const struct profile_node *nodes = matcher->profile->dictionary.nodes;
    accepts[0] = 0;
    for (uint32_t i = 1; i < matcher->profile->dictionary.node_cnt; i++) {
        uint8_t fits = frames[nodes[i].frame];
        if (kind == FILTER_FIELD_LEAF) {
            accepts[i] = fits;
        } else if (kind == FILTER_FIELD_ROOT) {
            accepts[i] = nodes[i].parent == 0 ? fits : accepts[nodes[i].parent];
        } else {
            accepts[i] = fits | accepts[nodes[i].parent];
        }
    }
}

static bool match_frames(const struct matcher *matcher, const struct filter_test *test,
                         enum filter_field_kind kind, uint8_t *mask)
{
    const struct profile *profile = matcher->profile;
    uint8_t *frames = malloc((size_t)profile->dictionary.frame_cnt + 1);
    uint8_t *stacks = malloc((size_t)profile->dictionary.node_cnt + 1);
    bool ok = frames != NULL && stacks != NULL;
    if (ok) {
        mark_frames(matcher, test, kind == FILTER_FIELD_FILE, frames);
        mark_stacks(matcher, kind, frames, stacks);
        const stack_id *stack = profile->stack + matcher->first;
        for (uint64_t i = 0; i < matcher->cnt; i++) {
            mask[i] = stacks[stack[i]];
        }
    }
    free(frames);
    free(stacks);
    return ok || out_of_memory(matcher);
}

static void mark_codes(const struct matcher *matcher, uint32_t idx, const struct filter_test *test,
                       uint8_t *accepts)
{
    const struct profile_dimension *dimension = &matcher->profile->dimensions[idx];
    int64_t min = 0;
    int64_t max = 0;
    bool has_bounds = bounds_of(test, &min, &max);
    accepts[0] = 0;
    for (uint32_t code = 1; code < dimension->value_cnt; code++) {
        int64_t value = dimension->values[code];
        if (dimension->kind == PROFILE_DIMENSION_NUMBER) {
            accepts[code] = has_bounds && value >= min && value <= max;
        } else {
            accepts[code] = text_fits(test, profile_text(matcher->profile, (string_id)value));
        }
    }
}

static void look_up_wide(const struct matcher *matcher, const struct profile_column *column,
                         const uint8_t *accepts, uint8_t *mask)
{
    int64_t codes[WEIGHT_BLOCK_ROWS];
    for (uint64_t at = 0; at < matcher->cnt; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = matcher->cnt - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        profile_column_read(column, matcher->first + at, cnt, codes);
        for (uint32_t i = 0; i < cnt; i++) {
            mask[at + i] = accepts[codes[i]];
        }
    }
}

// Codes are not negative.
static void look_up_codes(const struct matcher *matcher, uint32_t idx, const uint8_t *accepts,
                          uint8_t *mask)
{
    const struct profile_column *column = &matcher->profile->dimensions[idx].codes;
    if (column->width == 0) {
        memset(mask, accepts[column->min], matcher->cnt);
    } else if (column->width == 1) {
        const uint8_t *codes = (const uint8_t *)column->rows + matcher->first;
        for (uint64_t i = 0; i < matcher->cnt; i++) {
            mask[i] = accepts[codes[i]];
        }
    } else {
        look_up_wide(matcher, column, accepts, mask);
    }
}

static bool match_dimension(const struct matcher *matcher, uint32_t idx,
                            const struct filter_test *test, uint8_t *mask)
{
    uint8_t *accepts = malloc((size_t)matcher->profile->dimensions[idx].value_cnt + 1);
    if (accepts == NULL) {
        return out_of_memory(matcher);
    }
    mark_codes(matcher, idx, test, accepts);
    look_up_codes(matcher, idx, accepts, mask);
    free(accepts);
    return true;
}

// An Erlang process is a row that has a process status or a scheduler state.
static bool match_process(const struct matcher *matcher, const struct filter_test *test,
                          uint8_t *mask)
{
    struct filter_test number = *test;
    number.op = FILTER_EQUAL;
    if (!match_dimension(matcher, PROFILE_TID, &number, mask)) {
        return false;
    }
    for (uint64_t i = 0; i < matcher->cnt; i++) {
        if (mask[i] != 0) {
            mask[i] = profile_code(matcher->profile, PROFILE_STATUS, matcher->first + i) != 0 ||
                      profile_code(matcher->profile, PROFILE_STATE, matcher->first + i) != 0;
        }
    }
    return true;
}

// --- numbers ------------------------------------------------------------------

static void match_time(const struct matcher *matcher, const struct filter_test *test, uint8_t *mask)
{
    const uint64_t *time_ns = matcher->profile->time_ns;
    int64_t min = 0;
    int64_t max = 0;
    bool has_bounds = bounds_of(test, &min, &max);
    for (uint64_t i = 0; i < matcher->cnt; i++) {
        int64_t offset = (int64_t)(time_ns[matcher->first + i] - time_ns[0]);
        mask[i] = has_bounds && offset >= min && offset <= max;
    }
}

static bool match_weight(const struct matcher *matcher, struct weight weight,
                         const struct filter_test *test, uint8_t *mask)
{
    int64_t weights[WEIGHT_BLOCK_ROWS];
    struct weight_reader reader;
    int64_t min = 0;
    int64_t max = 0;
    bool has_bounds = bounds_of(test, &min, &max);
    if (!weight_open(matcher->profile, weight, &reader, matcher->err)) {
        return false;
    }
    for (uint64_t at = 0; at < matcher->cnt; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = matcher->cnt - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        weight_read(&reader, matcher->first + at, cnt, weights);
        for (uint32_t i = 0; i < cnt; i++) {
            mask[at + i] = has_bounds && weights[i] >= min && weights[i] <= max &&
                           weight_is_present(&reader, matcher->first + at + i);
        }
    }
    return true;
}

// --- the tree -----------------------------------------------------------------

static bool match_test(const struct matcher *matcher, const struct filter_node *node, uint8_t *mask)
{
    const struct filter_test *test = &node->test;
    struct filter_field field;
    bool ok = true;
    if (!filter_field_resolve(matcher->profile, matcher->filter, node, &field, matcher->err)) {
        return false;
    }
    switch (field.kind) {
    case FILTER_FIELD_DIMENSION:
        ok = match_dimension(matcher, field.dimension, test, mask);
        break;
    case FILTER_FIELD_PROCESS:
        ok = match_process(matcher, test, mask);
        break;
    case FILTER_FIELD_TIME:
        match_time(matcher, test, mask);
        break;
    case FILTER_FIELD_WEIGHT:
        ok = match_weight(matcher, field.weight, test, mask);
        break;
    default:
        ok = match_frames(matcher, test, field.kind, mask);
    }
    for (uint64_t i = 0; ok && is_negated(test->op) && i < matcher->cnt; i++) {
        mask[i] ^= 1;
    }
    return ok;
}

static bool match_node(struct matcher *matcher, uint32_t idx)
{
    const struct filter_node *node = &matcher->filter->nodes[idx];
    if (node->kind == FILTER_TEST) {
        matcher->masks[idx] = calloc(1, matcher->cnt + 1);
        return matcher->masks[idx] == NULL ? out_of_memory(matcher)
                                           : match_test(matcher, node, matcher->masks[idx]);
    }
    uint8_t *mask = matcher->masks[node->left];
    matcher->masks[node->left] = NULL;
    matcher->masks[idx] = mask;
    if (node->kind == FILTER_NOT) {
        for (uint64_t i = 0; i < matcher->cnt; i++) {
            mask[i] ^= 1;
        }
        return true;
    }
    const uint8_t *right = matcher->masks[node->right];
    for (uint64_t i = 0; i < matcher->cnt; i++) {
        mask[i] = node->kind == FILTER_AND ? mask[i] & right[i] : mask[i] | right[i];
    }
    free(matcher->masks[node->right]);
    matcher->masks[node->right] = NULL;
    return true;
}

// The root is the last node: all the others have been used up by then.
static uint8_t *take_root(struct matcher *matcher, bool ok)
{
    uint8_t *mask = NULL;
    for (uint32_t i = 0; i < FILTER_MAX_NODES; i++) {
        if (matcher->masks[i] != NULL && ok && mask == NULL) {
            mask = matcher->masks[i];
        } else {
            free(matcher->masks[i]);
        }
    }
    return mask;
}

uint8_t *filter_match(const struct filter *filter, const struct profile *profile, uint64_t first,
                      uint64_t cnt, struct error *err)
{
    struct matcher matcher = {
        .filter = filter, .profile = profile, .first = first, .cnt = cnt, .err = err};
    bool ok = true;
    for (uint32_t i = 0; i < filter->node_cnt && ok; i++) {
        ok = match_node(&matcher, i);
    }
    return take_root(&matcher, ok);
}

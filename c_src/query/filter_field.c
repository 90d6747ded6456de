// SPDX-License-Identifier: Apache-2.0
#include "query/filter_field.h"

#include "query/metric_name.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum filter_field_kind kind;
} FRAME_FIELDS[] = {
    {"fn", FILTER_FIELD_FUNCTION}, {"function", FILTER_FIELD_FUNCTION}, {"file", FILTER_FIELD_FILE},
    {"leaf", FILTER_FIELD_LEAF},   {"root", FILTER_FIELD_ROOT},         {"time", FILTER_FIELD_TIME},
};

static const struct {
    const char *typed;
    const char *name;
} DIMENSION_ALIASES[] = {
    {"registered_name", "registered"},
    {"name", "registered"},
    {"initial", "initial_call"},
    {"thread", "tid"},
    {"process", "pid"},
};

static bool is_order(enum filter_operator op)
{
    return op >= FILTER_LESS && op <= FILTER_GREATER_EQUAL;
}

static bool is_match(enum filter_operator op)
{
    return op == FILTER_MATCHES || op == FILTER_NOT_MATCHES;
}

static int find_dimension(const struct profile *profile, struct text name)
{
    for (size_t i = 0; i < sizeof DIMENSION_ALIASES / sizeof DIMENSION_ALIASES[0]; i++) {
        if (text_equal(name, text_of(DIMENSION_ALIASES[i].typed))) {
            name = text_of(DIMENSION_ALIASES[i].name);
        }
    }
    return profile_find_dimension(profile, name);
}

static bool find_frame_field(struct text name, struct filter_field *field)
{
    for (size_t i = 0; i < sizeof FRAME_FIELDS / sizeof FRAME_FIELDS[0]; i++) {
        if (text_equal(name, text_of(FRAME_FIELDS[i].name))) {
            field->kind = FRAME_FIELDS[i].kind;
            return true;
        }
    }
    return false;
}

// A dimension of texts has no order and no numbers, if the metric of its name has.
static bool prefers_metric(const struct profile *profile, const struct filter_test *test,
                           int dimension)
{
    bool is_number = test->value.is_number || test->value.is_range || is_order(test->op);
    return test->form != FILTER_FORM_PLAIN || dimension == PROFILE_NONE ||
           (is_number && profile->dimensions[dimension].kind == PROFILE_DIMENSION_TEXT);
}

static bool find_weight(const struct profile *profile, const struct filter_test *test,
                        struct filter_field *field)
{
    field->kind = FILTER_FIELD_WEIGHT;
    if (test->form == FILTER_FORM_PLAIN && text_equal(test->field, TEXT("period"))) {
        field->weight = (struct weight){.form = WEIGHT_PERIOD};
        return true;
    }
    int metric = metric_name_find(profile, test->field);
    if (metric == PROFILE_NONE) {
        return false;
    }
    enum weight_form form = test->form == FILTER_FORM_DELTA ? WEIGHT_DELTA : WEIGHT_VALUE;
    field->weight = (struct weight){form, (uint32_t)metric};
    return true;
}

// --- complaints ---------------------------------------------------------------

static bool complain_unknown(const struct profile *profile, const struct filter *filter,
                             const struct filter_node *node, struct error *err)
{
    char known[120] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < profile->dimension_cnt && used + 1 < sizeof known; i++) {
        if (profile->dimensions[i].value_cnt <= 1) {
            continue;
        }
        struct text name = profile_text(profile, profile->dimensions[i].name);
        int len = snprintf(known + used, sizeof known - used, " %.*s", (int)name.len, name.bytes);
        used += len > 0 ? (size_t)len : 0;
    }
    struct text source = {filter->source, filter->source_len};
    return filter_complain(source, node->at, err,
                           "this file has no such field (fn file leaf root time period%s,"
                           " or a metric)",
                           known);
}

static bool check_operator(const struct filter *filter, const struct filter_node *node,
                           const struct profile *profile, const struct filter_field *field,
                           struct error *err)
{
    struct text source = {filter->source, filter->source_len};
    const struct filter_test *test = &node->test;
    bool is_number = field->kind == FILTER_FIELD_WEIGHT || field->kind == FILTER_FIELD_TIME ||
                     (field->kind == FILTER_FIELD_DIMENSION &&
                      profile->dimensions[field->dimension].kind == PROFILE_DIMENSION_NUMBER);
    if (is_number && is_match(test->op)) {
        return filter_complain(source, node->at, err, "a number has no pattern, use = or <");
    }
    if (is_number && !test->value.is_number && !test->value.is_range) {
        return filter_complain(source, node->at, err, "this is compared with a number");
    }
    if (!is_number && is_order(test->op)) {
        return filter_complain(source, node->at, err, "names have no order, use = or ~");
    }
    return true;
}

bool filter_field_resolve(const struct profile *profile, const struct filter *filter,
                          const struct filter_node *node, struct filter_field *field,
                          struct error *err)
{
    const struct filter_test *test = &node->test;
    *field = (struct filter_field){.kind = FILTER_FIELD_DIMENSION};
    int dimension = find_dimension(profile, test->field);
    bool is_frame_field = test->form == FILTER_FORM_PLAIN && find_frame_field(test->field, field);
    if (!is_frame_field && test->value.is_pid && dimension == PROFILE_PID) {
        field->kind = FILTER_FIELD_PROCESS;
        return !is_order(test->op);
    }
    if (!is_frame_field &&
        (!prefers_metric(profile, test, dimension) || !find_weight(profile, test, field))) {
        if (dimension == PROFILE_NONE || test->form != FILTER_FORM_PLAIN) {
            return complain_unknown(profile, filter, node, err);
        }
        field->kind = FILTER_FIELD_DIMENSION;
        field->dimension = (uint32_t)dimension;
    }
    return check_operator(filter, node, profile, field, err);
}

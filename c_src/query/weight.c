// SPDX-License-Identifier: Apache-2.0
#include "query/weight.h"

#include "query/metric_name.h"

#include <stdio.h>

// How the forms of a metric are written.
static const struct {
    const char *suffix;
    const char *function;
    enum weight_form form;
} FORMS[] = {
    {"", "value(", WEIGHT_VALUE},
    {"_delta", "delta(", WEIGHT_DELTA},
    {"_inc", "inc(", WEIGHT_INCREASE},
    {"_dec", "dec(", WEIGHT_DECREASE},
};

enum { FORM_CNT = sizeof FORMS / sizeof FORMS[0] };

// --- names --------------------------------------------------------------------

static bool strip_suffix(struct text *name, const char *suffix)
{
    uint32_t len = (uint32_t)strlen(suffix);
    if (name->len <= len || memcmp(name->bytes + name->len - len, suffix, len) != 0) {
        return false;
    }
    name->len -= len;
    return true;
}

static bool strip_function(struct text *name, const char *function)
{
    uint32_t len = (uint32_t)strlen(function);
    if (name->len <= len + 1 || memcmp(name->bytes, function, len) != 0 ||
        name->bytes[name->len - 1] != ')') {
        return false;
    }
    *name = (struct text){name->bytes + len, name->len - len - 1};
    return true;
}

static bool parse_metric(const struct profile *profile, struct text name, struct weight *weight)
{
    for (int i = 0; i < FORM_CNT; i++) {
        struct text inner = name;
        struct text stem = name;
        int metric = PROFILE_NONE;
        if (strip_function(&inner, FORMS[i].function)) {
            metric = metric_name_find(profile, inner);
        }
        if (metric == PROFILE_NONE && strip_suffix(&stem, FORMS[i].suffix)) {
            metric = metric_name_find(profile, stem);
        }
        if (metric != PROFILE_NONE) {
            *weight = (struct weight){FORMS[i].form, (uint32_t)metric};
            return true;
        }
    }
    return false;
}

static bool complain(const struct profile *profile, struct text name, struct error *err)
{
    char known[ERROR_DETAIL_BYTES] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < profile->metric_cnt && used + 1 < sizeof known; i++) {
        struct text metric = profile_text(profile, profile->metrics[i].name);
        int len =
            snprintf(known + used, sizeof known - used, ", %.*s", (int)metric.len, metric.bytes);
        used += len > 0 ? (size_t)len : 0;
    }
    return error_set(err, ERROR_BAD_ARGUMENT,
                     "metric %.*s: not in this file; it has samples, period%s", (int)name.len,
                     name.bytes, known);
}

bool weight_parse(const struct profile *profile, struct text name, struct weight *weight,
                  struct error *err)
{
    if (text_equal(name, TEXT("samples"))) {
        *weight = (struct weight){.form = WEIGHT_SAMPLES};
        return true;
    }
    if (text_equal(name, TEXT("period"))) {
        *weight = (struct weight){.form = WEIGHT_PERIOD};
        return true;
    }
    return parse_metric(profile, name, weight) || complain(profile, name, err);
}

struct weight weight_default(const struct profile *profile)
{
    bool has_period = profile->period.max > 0;
    // What stands behind a folded stack.
    bool has_count = !has_period && profile->metric_cnt > 0 && !profile->metrics[0].has_delta;
    return (struct weight){.form = has_period  ? WEIGHT_PERIOD
                                   : has_count ? WEIGHT_VALUE
                                               : WEIGHT_SAMPLES};
}

const char *weight_name(const struct profile *profile, struct weight weight,
                        char name[WEIGHT_NAME_BYTES])
{
    if (weight.form == WEIGHT_SAMPLES || weight.form == WEIGHT_PERIOD) {
        return weight.form == WEIGHT_SAMPLES ? "samples" : "period";
    }
    struct text metric = profile_text(profile, profile->metrics[weight.metric].name);
    (void)snprintf(name, WEIGHT_NAME_BYTES, "%.*s%s", (int)metric.len, metric.bytes,
                   FORMS[weight.form - WEIGHT_VALUE].suffix);
    return name;
}

struct text weight_unit(const struct profile *profile, struct weight weight)
{
    switch (weight.form) {
    case WEIGHT_SAMPLES:
        return TEXT("count");
    case WEIGHT_PERIOD:
        return TEXT("nanoseconds");
    default:
        return profile_text(profile, profile->metrics[weight.metric].unit);
    }
}

// --- reading ------------------------------------------------------------------

bool weight_open(const struct profile *profile, struct weight weight, struct weight_reader *reader,
                 struct error *err)
{
    *reader = (struct weight_reader){.form = weight.form};
    if (weight.form == WEIGHT_SAMPLES) {
        return true;
    }
    if (weight.form == WEIGHT_PERIOD) {
        reader->column = &profile->period;
        return true;
    }
    enum profile_form form = weight.form == WEIGHT_VALUE ? PROFILE_VALUE : PROFILE_DELTA;
    reader->metric = &profile->metrics[weight.metric];
    reader->column = profile_metric_column(profile, weight.metric, form, err);
    if (reader->metric->present == NULL) {
        reader->metric = NULL;
    }
    return reader->column != NULL;
}

void weight_read(const struct weight_reader *reader, uint64_t first, uint32_t cnt, int64_t *weights)
{
    if (reader->column == NULL) {
        for (uint32_t i = 0; i < cnt; i++) {
            weights[i] = 1;
        }
        return;
    }
    profile_column_read(reader->column, first, cnt, weights);
    if (reader->form == WEIGHT_INCREASE) {
        for (uint32_t i = 0; i < cnt; i++) {
            weights[i] = weights[i] > 0 ? weights[i] : 0;
        }
    } else if (reader->form == WEIGHT_DECREASE) {
        for (uint32_t i = 0; i < cnt; i++) {
            weights[i] = weights[i] < 0 ? (int64_t)(0 - (uint64_t)weights[i]) : 0;
        }
    }
}

bool weight_may_be_negative(const struct weight_reader *reader)
{
    return reader->column != NULL && reader->column->min < 0 && reader->form != WEIGHT_INCREASE &&
           reader->form != WEIGHT_DECREASE;
}

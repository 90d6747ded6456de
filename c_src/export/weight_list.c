// SPDX-License-Identifier: Apache-2.0
#include "export/weight_list.h"

static void add(struct weight_list *list, enum weight_form form, uint32_t metric)
{
    list->weights[list->cnt++] = (struct weight){form, metric};
}

static void add_changes(struct weight_list *list, uint32_t metric)
{
    add(list, WEIGHT_INCREASE, metric);
    add(list, WEIGHT_DECREASE, metric);
}

static void add_all(struct weight_list *list, const struct profile *profile)
{
    if (profile->period.max > 0) {
        add(list, WEIGHT_PERIOD, 0);
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        add(list, WEIGHT_VALUE, i);
        if (profile->metrics[i].has_delta) {
            add_changes(list, i);
        }
    }
}

void weight_list_init(struct weight_list *list, const struct export_request *request)
{
    list->cnt = 0;
    add(list, WEIGHT_SAMPLES, 0);
    if (!request->has_weight) {
        add_all(list, request->selection->profile);
    } else if (request->weight.form == WEIGHT_DELTA) {
        add_changes(list, request->weight.metric);
    } else if (request->weight.form != WEIGHT_SAMPLES) {
        add(list, request->weight.form, request->weight.metric);
    }
}

void weight_list_one(struct weight_list *list, const struct export_request *request)
{
    list->cnt = 0;
    if (request->weight.form == WEIGHT_DELTA) {
        add_changes(list, request->weight.metric);
    } else {
        add(list, request->weight.form, request->weight.metric);
    }
}

// Sums beyond 2^53, or that wrapped around.
static bool is_beyond(const struct selection *selection, const struct weight_reader *reader)
{
    const int64_t exact = 1LL << 53;
    int64_t weights[WEIGHT_BLOCK_ROWS];
    __int128 sum = 0;
    for (uint64_t row = selection->first; row < selection->end; row += WEIGHT_BLOCK_ROWS) {
        uint64_t left = selection->end - row;
        uint32_t cnt = left < WEIGHT_BLOCK_ROWS ? (uint32_t)left : (uint32_t)WEIGHT_BLOCK_ROWS;
        weight_read(reader, row, cnt, weights);
        for (uint32_t i = 0; i < cnt; i++) {
            sum += selection_has(selection, row + i) ? weights[i] : 0;
        }
    }
    return sum > exact || sum < -exact;
}

bool weight_list_is_rounded(const struct weight_list *list, const struct selection *selection,
                            struct weight *weight, bool *is_rounded, struct error *err)
{
    *is_rounded = false;
    for (uint32_t i = 0; i < list->cnt && !*is_rounded; i++) {
        struct weight_reader reader;
        if (!weight_open(selection->profile, list->weights[i], &reader, err)) {
            return false;
        }
        *is_rounded = is_beyond(selection, &reader);
        *weight = list->weights[i];
    }
    return true;
}

static const char *period_of_event(struct text event)
{
    static const struct {
        struct text event;
        const char *name;
    } NAMES[] = {
        {{"beam-wall", 9}, "wall"},  {{"beam-cpu", 8}, "cpu"},    {{"cpu-clock", 9}, "cpu"},
        {{"task-clock", 10}, "cpu"}, {{"off-cpu", 7}, "off_cpu"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (text_equal(event, NAMES[i].event)) {
            return NAMES[i].name;
        }
    }
    return "period";
}

const char *weight_list_period_name(const struct profile *profile)
{
    const struct profile_dimension *events = &profile->dimensions[PROFILE_EVENT];
    const char *name = NULL;
    for (uint32_t code = 1; code < events->value_cnt; code++) {
        const char *one = period_of_event(profile_text(profile, (string_id)events->values[code]));
        if (name != NULL && strcmp(one, name) != 0) {
            return "period";
        }
        name = one;
    }
    return name == NULL ? "period" : name;
}

const char *weight_list_name(const struct profile *profile, struct weight weight,
                             char name[WEIGHT_NAME_BYTES])
{
    return weight.form == WEIGHT_PERIOD ? weight_list_period_name(profile)
                                        : weight_name(profile, weight, name);
}

// SPDX-License-Identifier: Apache-2.0
#include "model/profile_parts.h"

#include <stdlib.h>
#include <string.h>

static uint64_t capacity_of(uint64_t cnt)
{
    uint64_t capacity = 16;
    while (capacity < cnt) {
        capacity *= 2;
    }
    return capacity;
}

void *profile_with_room(void *entries, uint64_t cnt, size_t size)
{
    if (entries != NULL && capacity_of(cnt) == capacity_of(cnt + 1)) {
        return entries;
    }
    return realloc(entries, capacity_of(cnt + 1) * size);
}

const struct profile_fixed_dimension *profile_fixed_dimension(uint32_t idx)
{
    static const struct profile_fixed_dimension FIXED[] = {
#define FIXED_DIMENSION(id, name, kind) {TEXT(name), PROFILE_DIMENSION_##kind},
        PROFILE_DIMENSIONS(FIXED_DIMENSION)
#undef FIXED_DIMENSION
    };
    return idx < PROFILE_FIXED_DIMENSION_CNT ? &FIXED[idx] : NULL;
}

struct profile_source *profile_add_source(struct profile *profile)
{
    struct profile_source *sources =
        profile_with_room(profile->sources, profile->source_cnt, sizeof *sources);
    if (sources == NULL) {
        return NULL;
    }
    profile->sources = sources;
    sources[profile->source_cnt] = (struct profile_source){0};
    return &sources[profile->source_cnt++];
}

bool profile_add_fact(struct profile_source *source, struct profile_fact fact)
{
    struct profile_fact *facts = profile_with_room(source->facts, source->fact_cnt, sizeof fact);
    if (facts == NULL) {
        return false;
    }
    source->facts = facts;
    source->facts[source->fact_cnt++] = fact;
    return true;
}

bool profile_add_mapping(struct profile *profile, const struct profile_mapping *mapping)
{
    struct profile_mapping *mappings =
        profile_with_room(profile->mappings, profile->mapping_cnt, sizeof *mappings);
    if (mappings == NULL) {
        return false;
    }
    profile->mappings = mappings;
    profile->mappings[profile->mapping_cnt++] = *mapping;
    return true;
}

// --- rows ---------------------------------------------------------------------

bool profile_resize_rows(struct profile *profile, uint64_t capacity)
{
    uint64_t *time_ns = realloc(profile->time_ns, capacity * sizeof *time_ns);
    profile->time_ns = time_ns == NULL ? profile->time_ns : time_ns;
    stack_id *stack = realloc(profile->stack, capacity * sizeof *stack);
    profile->stack = stack == NULL ? profile->stack : stack;
    return time_ns != NULL && stack != NULL;
}

void profile_trim_columns(struct profile *profile)
{
    profile->period.cnt = profile->row_cnt;
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        profile->dimensions[i].codes.cnt = profile->row_cnt;
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            struct profile_column *column = &profile->metrics[i].columns[form];
            column->cnt = column->cnt < profile->row_cnt ? column->cnt : profile->row_cnt;
        }
    }
}

bool profile_metric_skip(struct profile_metric *metric, uint64_t cnt)
{
    return profile_column_append_same(&metric->columns[PROFILE_VALUE], 0, cnt) &&
           profile_column_append_same(&metric->columns[PROFILE_DELTA], 0, cnt);
}

static void set_all(uint64_t *present, uint64_t cnt)
{
    memset(present, 0xFF, cnt / 64 * sizeof *present);
    if (cnt % 64 != 0) {
        present[cnt / 64] |= (1ULL << cnt % 64) - 1;
    }
}

uint64_t *profile_metric_presence(struct profile_metric *metric, uint64_t row_cnt,
                                  uint64_t *word_cnt)
{
    uint64_t have = metric->present == NULL ? 0 : *word_cnt;
    uint64_t want = row_cnt / 64 + 1;
    if (want <= have) {
        return (uint64_t *)metric->present;
    }
    want += want / 2;
    uint64_t *present = realloc((void *)metric->present, want * sizeof *present);
    if (present == NULL) {
        return NULL;
    }
    memset(present + have, 0, (want - have) * sizeof *present);
    if (metric->present == NULL) {
        set_all(present, metric->present_cnt); // everywhere so far
    }
    metric->present = present;
    *word_cnt = want;
    return present;
}

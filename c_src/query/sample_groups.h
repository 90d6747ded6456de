// SPDX-License-Identifier: Apache-2.0
// Rows with the same stack and the same categories as one: what formats hold that sum
// samples up and keep several weights of each. One owner.
#ifndef FLAME_PROF_QUERY_SAMPLE_GROUPS_H
#define FLAME_PROF_QUERY_SAMPLE_GROUPS_H

#include "base/error.h"
#include "query/category_groups.h"
#include "query/selection.h"
#include "query/weight.h"

#define SAMPLE_GROUP_NONE UINT32_MAX // of a row that the selection does not take

struct sample_group {
    stack_id stack;
    uint32_t category; // for category_groups_codes
};

struct sample_groups {
    const struct selection *selection; // borrowed
    struct category_groups categories;
    struct sample_group *groups; // in the order of their first sample
    uint32_t cnt;
    uint32_t capacity;
    uint32_t *of_row; // by row - selection->first
};

// The dimensions that samples are labelled with; returns how many.
uint32_t sample_groups_labels(const struct profile *profile,
                              uint32_t dimensions[CATEGORY_GROUPS_MAX_LEVELS]);

// `dimension_cnt` <= CATEGORY_GROUPS_MAX_LEVELS. False, with the reason; _deinit is
// harmless either way.
bool sample_groups_init(struct sample_groups *groups, const struct selection *selection,
                        const uint32_t *dimensions, uint32_t dimension_cnt, struct error *err);
void sample_groups_deinit(struct sample_groups *groups);

// The sum of a weight over each group: sums[i * stride], for all i < groups->cnt. False,
// with the reason, when a column could not be loaded.
bool sample_groups_sum(const struct sample_groups *groups, struct weight weight, int64_t *sums,
                       uint32_t stride, struct error *err);

#endif

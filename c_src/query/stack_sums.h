// SPDX-License-Identifier: Apache-2.0
// Weights per stack, and per group of categories: the one pass over the rows that
// flame graphs and tables begin with. Positive and negative weights apart. 24 bytes for
// a sum; while they are made a table of at most 32 MiB for all groups, or for one group
// 28 bytes for a stack of the profile, and up to 16 for a row that is taken, as rows are
// then put into the order of their groups first. One owner.
#ifndef FLAME_PROF_QUERY_STACK_SUMS_H
#define FLAME_PROF_QUERY_STACK_SUMS_H

#include "base/error.h"
#include "query/category_groups.h"
#include "query/selection.h"
#include "query/weight.h"

// Of one stack in one group.
struct stack_sum {
    stack_id stack;
    uint32_t row_cnt; // that have the weight
    int64_t gain;     // the sum of weights > 0
    int64_t drop;     // minus the sum of weights < 0
};

struct stack_sums {
    struct category_groups groups;
    struct stack_sum *sums; // those with rows, ordered by group
    uint64_t cnt;
    uint64_t *group_end;  // by group: behind its last sum
    uint8_t *is_used;     // by stack: it has rows
    bool has_drops;       // a weight is negative
    bool is_exact;        // no sum of their magnitudes wraps around
    int64_t total;        // the sum of all
    uint64_t row_cnt;     // of all
    uint64_t lacking_cnt; // selected rows that lack the metric
};

// False, with the reason; _deinit is harmless either way.
bool stack_sums_init(struct stack_sums *sums, const struct selection *selection,
                     struct weight weight, const uint32_t *dimensions, uint32_t dimension_cnt,
                     struct error *err);
void stack_sums_deinit(struct stack_sums *sums);

#endif

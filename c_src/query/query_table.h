// SPDX-License-Identifier: Apache-2.0
// Weights by function, and by the value of a dimension: self is what was spent in it,
// total also what it called, recursion counted once. One owner.
#ifndef FLAME_PROF_QUERY_QUERY_TABLE_H
#define FLAME_PROF_QUERY_QUERY_TABLE_H

#include "base/error.h"
#include "query/selection.h"
#include "query/weight.h"

#include <stdbool.h>
#include <stdint.h>

struct table_row {
    uint32_t id;      // a frame (of functions: the first one of it), or a code; 0 = none
    int64_t self;     // signed
    int64_t total;    // of a dimension the same
    uint64_t row_cnt; // samples in `total`
};

struct query_table {
    struct table_row *rows; // the heaviest first, by self, then total
    uint32_t row_cnt;
    int64_t total;        // the sum of all weights
    uint64_t magnitude;   // the sum of their absolute values
    uint64_t sample_cnt;  // samples in it
    uint64_t lacking_cnt; // selected samples that lack the metric
};

// Functions. False, with the reason; _deinit is harmless either way.
bool query_table_functions(struct query_table *table, const struct selection *selection,
                           struct weight weight, struct error *err);

// Values of a dimension.
bool query_table_dimension(struct query_table *table, const struct selection *selection,
                           struct weight weight, uint32_t dimension, struct error *err);

void query_table_deinit(struct query_table *table);

#endif

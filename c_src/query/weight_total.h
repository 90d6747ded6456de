// SPDX-License-Identifier: Apache-2.0
// Sums of weights straight from the columns, as narrow as they are: what a cell of a
// heatmap needs. Any thread.
#ifndef FLAME_PROF_QUERY_WEIGHT_TOTAL_H
#define FLAME_PROF_QUERY_WEIGHT_TOTAL_H

#include "query/weight.h"

struct weight_total {
    int64_t sum;
    uint64_t row_cnt; // that are taken and have the weight
};

// Of the rows `first` to `first + cnt`; `mask` (of row `first` on, 1 = taken) NULL = all.
struct weight_total weight_total_of(const struct weight_reader *reader, const uint8_t *mask,
                                    uint64_t first, uint64_t cnt);

#endif

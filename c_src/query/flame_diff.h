// SPDX-License-Identifier: Apache-2.0
// Two flame graphs laid over each other: every place that either has, with the weights
// of both. The graphs may be of different profiles: places are the same when their
// names, files and categories are. One owner; any number of threads may read it.
#ifndef FLAME_PROF_QUERY_FLAME_DIFF_H
#define FLAME_PROF_QUERY_FLAME_DIFF_H

#include "base/error.h"
#include "base/string_table.h"
#include "query/flame_graph.h"

#include <stdbool.h>
#include <stdint.h>

enum flame_side { FLAME_BEFORE, FLAME_AFTER, FLAME_SIDE_CNT };

struct flame_diff_node {
    uint32_t parent; // less than the node's own number; of the root 0
    string_id text;  // of flame_diff->strings
    string_id file;  // or the dimension of a category
    uint16_t kind;   // enum flame_node_kind
    int64_t self[FLAME_SIDE_CNT];
    int64_t total[FLAME_SIDE_CNT];
};

enum flame_diff_norm {
    FLAME_DIFF_RAW,   // the weights as they are
    FLAME_DIFF_TOTAL, // shares of each side's total
    FLAME_DIFF_TIME,  // weights per second of each side
};

struct flame_diff {
    struct string_table *strings;
    struct flame_diff_node *nodes; // [0] is the root
    uint32_t node_cnt;
    // What a side's weights are multiplied with to be comparable; the one of the
    // later side is 1, so that differences are in its unit.
    double scale[FLAME_SIDE_CNT];
};

struct flame_diff_side {
    const struct flame_graph *graph;
    uint64_t duration_ns; // of its selection, for FLAME_DIFF_TIME
};

// False, with the reason (a side that is empty cannot be scaled); _deinit is harmless
// either way. What pruning left out of one side counts as absent there: prune neither.
bool flame_diff_init(struct flame_diff *diff, const struct flame_diff_side sides[FLAME_SIDE_CNT],
                     enum flame_diff_norm norm, struct error *err);
void flame_diff_deinit(struct flame_diff *diff);

// After minus scaled before, of totals.
static inline double flame_diff_change(const struct flame_diff *diff,
                                       const struct flame_diff_node *node)
{
    return (double)node->total[FLAME_AFTER] * diff->scale[FLAME_AFTER] -
           (double)node->total[FLAME_BEFORE] * diff->scale[FLAME_BEFORE];
}

#endif

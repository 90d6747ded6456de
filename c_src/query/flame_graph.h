// SPDX-License-Identifier: Apache-2.0
// A flame graph as columns: nodes with their parent, self and total weight. Weights of
// both signs give two graphs, under the roots "positive" and "negative", with
// magnitudes. Totals are exact whatever is pruned. One owner; any number of threads
// may read it.
#ifndef FLAME_PROF_QUERY_FLAME_GRAPH_H
#define FLAME_PROF_QUERY_FLAME_GRAPH_H

#include "base/error.h"
#include "query/selection.h"
#include "query/stack_view.h"
#include "query/weight.h"

#include <stdbool.h>
#include <stdint.h>

enum flame_node_kind {
    FLAME_NODE_ROOT,
    FLAME_NODE_SIGN,     // `id` 0 positive, 1 negative
    FLAME_NODE_CATEGORY, // `id` a code of `dimension`
    FLAME_NODE_FRAME,    // `id` a frame of the profile
};

struct flame_node {
    uint32_t parent; // less than the node's own number; of the root 0
    uint32_t id;
    uint16_t dimension;
    uint16_t kind; // enum flame_node_kind
    int64_t self;
    int64_t total; // with what is below it
};

struct flame_options {
    struct weight weight;
    const uint32_t *dimensions; // root frames, outermost first; a row without a value
    uint32_t dimension_cnt;     // leaves its frame out
    struct stack_view_options view;
    bool always_signs;  // the two roots also where no weight is negative
    uint32_t max_nodes; // the heaviest; 0 = no limit
    double min_share;   // of the whole; 0 = all
    bool keeps_zeros;   // nodes whose samples weigh 0
};

struct flame_graph {
    const struct profile *profile; // borrowed
    struct flame_node *nodes;      // [0] is the root
    uint32_t node_cnt;
    bool has_signs;
    bool has_lines;       // frames of one function may differ by line
    int64_t total;        // the sum of all weights, signed
    uint64_t row_cnt;     // samples in it
    uint64_t lacking_cnt; // selected samples that lack the metric
};

// False, with the reason; _deinit is harmless either way.
bool flame_graph_init(struct flame_graph *graph, const struct selection *selection,
                      const struct flame_options *options, struct error *err);
void flame_graph_deinit(struct flame_graph *graph);

// "all", "positive", the text of a category, the name of a function. Borrowed.
struct text flame_node_text(const struct flame_graph *graph, const struct flame_node *node,
                            char digits[PROFILE_DIGITS_BYTES]);

// The file of a frame, the dimension's name of a category, else "". Borrowed.
struct text flame_node_file(const struct flame_graph *graph, const struct flame_node *node);

// --- children -----------------------------------------------------------------

// children[begin[node]] to children[begin[node + 1] - 1], the heaviest first.
struct flame_children {
    uint32_t *begin;
    uint32_t *children;
};

// False when out of memory; _deinit is harmless either way.
bool flame_children_init(struct flame_children *children, const struct flame_graph *graph);
void flame_children_deinit(struct flame_children *children);

#endif

// SPDX-License-Identifier: Apache-2.0
// Makes the nodes of a flame graph, with their totals, group by group of the sums, each
// in the first and second cache. Nodes that cannot stay are not made. Beside the graph
// it takes 72 bytes for a chain of stacks. Only query/flame_graph.c calls it.
#ifndef FLAME_PROF_QUERY_FLAME_GROW_H
#define FLAME_PROF_QUERY_FLAME_GROW_H

#include "query/flame_graph.h"
#include "query/stack_chains.h"
#include "query/stack_sums.h"

// `has_signs` of the graph says whether there are two. False, with the reason.
bool flame_graph_grow(struct flame_graph *graph, const struct flame_options *options,
                      const struct stack_sums *sums, const struct stack_chains *chains,
                      struct error *err);

#endif

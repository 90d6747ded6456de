// SPDX-License-Identifier: Apache-2.0
// Leaves out of a flame graph what is too light to see. Only query/flame_graph.c calls
// it.
#ifndef FLAME_PROF_QUERY_FLAME_PRUNE_H
#define FLAME_PROF_QUERY_FLAME_PRUNE_H

#include "query/flame_graph.h"

// False when out of memory.
bool flame_graph_prune(struct flame_graph *graph, const struct flame_options *options);

#endif

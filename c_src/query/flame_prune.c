// SPDX-License-Identifier: Apache-2.0
#include "query/flame_prune.h"

#include "base/big_memory.h"
#include "query/flame_limit.h"

#include <stdlib.h>

// The `rank`-th largest (from 0), by quickselect; reorders the values.
static int64_t select_largest(int64_t *values, uint32_t cnt, uint32_t rank)
{
    uint32_t low = 0;
    uint32_t high = cnt - 1;
    while (low < high) {
        int64_t pivot = values[low + (high - low) / 2];
        uint32_t i = low;
        uint32_t j = high;
        while (i <= j) {
            while (values[i] > pivot) {
                i++;
            }
            while (values[j] < pivot) {
                j--;
            }
            if (i <= j) {
                int64_t swap = values[i];
                values[i++] = values[j];
                values[j] = swap;
                if (j-- == 0) {
                    break;
                }
            }
        }
        if (j != UINT32_MAX && rank <= j) {
            high = j;
        } else if (rank >= i) {
            low = i;
        } else {
            break;
        }
    }
    return values[rank];
}

// Totals by their length in bits: a pass over all nodes leaves few to choose from.
enum { BIT_LENGTHS = 64 };

static uint32_t bit_length(int64_t total)
{
    return total <= 0 ? 0 : 64 - (uint32_t)__builtin_clzll((uint64_t)total);
}

// The length that the `rank`-th largest has; `rank` becomes its rank among those.
static uint32_t length_of_rank(const struct flame_graph *graph, uint32_t *rank, uint32_t *cnt)
{
    uint32_t counts[BIT_LENGTHS] = {0};
    uint32_t length = BIT_LENGTHS - 1;
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        counts[bit_length(graph->nodes[i].total)]++;
    }
    for (; length > 0 && counts[length] <= *rank; length--) {
        *rank -= counts[length];
    }
    *cnt = counts[length];
    return length;
}

// The smallest total that at most `max_nodes` nodes have. False when out of memory.
static bool limit_of(const struct flame_graph *graph, uint32_t max_nodes, int64_t *limit)
{
    uint32_t rank = max_nodes; // of the first that is too many
    uint32_t cnt = 0;
    uint32_t length = length_of_rank(graph, &rank, &cnt);
    int64_t *totals = calloc((size_t)cnt + 1, sizeof *totals);
    if (totals == NULL) {
        return false;
    }
    cnt = 0;
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        if (bit_length(graph->nodes[i].total) == length) {
            totals[cnt++] = graph->nodes[i].total;
        }
    }
    int64_t refused = select_largest(totals, cnt, rank);
    *limit = refused == INT64_MAX ? INT64_MAX : refused + 1;
    free(totals);
    return true;
}

static bool drop_below(struct flame_graph *graph, int64_t limit)
{
    uint32_t *moved_to = malloc((size_t)graph->node_cnt * sizeof *moved_to);
    uint32_t kept = 1;
    big_memory_advise(moved_to, (size_t)graph->node_cnt * sizeof *moved_to);
    if (moved_to == NULL) {
        return false;
    }
    moved_to[0] = 0;
    for (uint32_t i = 1; i < graph->node_cnt; i++) {
        struct flame_node node = graph->nodes[i];
        uint32_t parent = moved_to[node.parent];
        // A light parent takes its children along.
        if (parent == UINT32_MAX || (node.total < limit && node.kind != FLAME_NODE_SIGN)) {
            moved_to[i] = UINT32_MAX;
            continue;
        }
        node.parent = parent;
        moved_to[i] = kept;
        graph->nodes[kept++] = node;
    }
    graph->node_cnt = kept;
    free(moved_to);
    return true;
}

bool flame_graph_prune(struct flame_graph *graph, const struct flame_options *options)
{
    int64_t limit = flame_limit_share(options->min_share, graph->nodes[0].total);
    if (options->max_nodes > 0 && graph->node_cnt > options->max_nodes) {
        int64_t by_count = 0;
        if (!limit_of(graph, options->max_nodes, &by_count)) {
            return false;
        }
        limit = by_count > limit ? by_count : limit;
    }
    return limit == INT64_MIN || drop_below(graph, limit);
}

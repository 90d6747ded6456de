// SPDX-License-Identifier: Apache-2.0
#include "query/flame_graph.h"

#include <stdlib.h>

struct order {
    int64_t total;
    uint32_t node;
};

// Heavier first; what weighs the same in the order of the samples.
static int compare(const void *left, const void *right)
{
    const struct order *a = left;
    const struct order *b = right;
    if (a->total != b->total) {
        return a->total > b->total ? -1 : 1;
    }
    return a->node < b->node ? -1 : 1;
}

static void place(const struct flame_graph *graph, struct flame_children *children,
                  struct order *orders)
{
    uint32_t *begin = children->begin;
    for (uint32_t i = 1; i < graph->node_cnt; i++) {
        begin[graph->nodes[i].parent + 2]++;
    }
    for (uint32_t i = 2; i < graph->node_cnt + 1; i++) {
        begin[i] += begin[i - 1];
    }
    for (uint32_t i = 1; i < graph->node_cnt; i++) {
        uint32_t at = begin[graph->nodes[i].parent + 1]++;
        orders[at] = (struct order){graph->nodes[i].total, i};
    }
}

bool flame_children_init(struct flame_children *children, const struct flame_graph *graph)
{
    struct order *orders = malloc((size_t)graph->node_cnt * sizeof *orders);
    children->begin = calloc((size_t)graph->node_cnt + 2, sizeof *children->begin);
    children->children = malloc((size_t)graph->node_cnt * sizeof *children->children);
    bool ok = orders != NULL && children->begin != NULL && children->children != NULL;
    if (ok) {
        place(graph, children, orders);
        for (uint32_t i = 0; i < graph->node_cnt; i++) {
            uint32_t cnt = children->begin[i + 1] - children->begin[i];
            if (cnt > 1) {
                qsort(orders + children->begin[i], cnt, sizeof *orders, compare);
            }
        }
        for (uint32_t i = 0; i + 1 < graph->node_cnt; i++) {
            children->children[i] = orders[i].node;
        }
    }
    free(orders);
    return ok;
}

void flame_children_deinit(struct flame_children *children)
{
    free(children->begin);
    free(children->children);
    *children = (struct flame_children){.begin = NULL};
}

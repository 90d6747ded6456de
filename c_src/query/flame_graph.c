// SPDX-License-Identifier: Apache-2.0
#include "query/flame_graph.h"

#include "query/flame_grow.h"
#include "query/flame_prune.h"

#include <stdlib.h>

static bool out_of_memory(struct error *err)
{
    return error_set(err, ERROR_NO_MEMORY, "flame graph: out of memory");
}

static void count_rows(struct flame_graph *graph, const struct stack_sums *sums,
                       const struct stack_view *view)
{
    graph->lacking_cnt = sums->lacking_cnt;
    graph->row_cnt = sums->row_cnt;
    graph->total = sums->total;
    for (uint64_t i = 0; i < sums->cnt && view->is_in != NULL; i++) {
        const struct stack_sum *sum = &sums->sums[i];
        if (!stack_view_has(view, sum->stack)) {
            graph->row_cnt -= sum->row_cnt;
            graph->total =
                (int64_t)((uint64_t)graph->total - (uint64_t)sum->gain + (uint64_t)sum->drop);
        }
    }
}

static bool grow_graph(struct flame_graph *graph, const struct flame_options *options,
                       const struct stack_sums *sums, const struct stack_view *view,
                       struct error *err)
{
    struct stack_chains chains;
    bool ok =
        stack_chains_init(&chains, view, sums->is_used, graph->profile->dictionary.node_cnt) ||
        out_of_memory(err);
    ok = ok && flame_graph_grow(graph, options, sums, &chains, err) &&
         (flame_graph_prune(graph, options) || out_of_memory(err));
    stack_chains_deinit(&chains);
    return ok;
}

bool flame_graph_init(struct flame_graph *graph, const struct selection *selection,
                      const struct flame_options *options, struct error *err)
{
    struct stack_sums sums;
    struct stack_view view = {.nodes = NULL};
    *graph = (struct flame_graph){.profile = selection->profile,
                                  .has_lines = options->view.splits_lines};
    bool ok = stack_sums_init(&sums, selection, options->weight, options->dimensions,
                              options->dimension_cnt, err) &&
              stack_view_init(&view, selection->profile, &options->view, sums.is_used, err);
    if (ok) {
        graph->has_signs = options->always_signs || sums.has_drops;
        count_rows(graph, &sums, &view);
        ok = grow_graph(graph, options, &sums, &view, err);
    }
    stack_view_deinit(&view);
    stack_sums_deinit(&sums);
    return ok;
}

void flame_graph_deinit(struct flame_graph *graph)
{
    free(graph->nodes);
    *graph = (struct flame_graph){.nodes = NULL};
}

// --- names --------------------------------------------------------------------

struct text flame_node_text(const struct flame_graph *graph, const struct flame_node *node,
                            char digits[PROFILE_DIGITS_BYTES])
{
    const struct profile *profile = graph->profile;
    switch ((enum flame_node_kind)node->kind) {
    case FLAME_NODE_SIGN:
        return node->id == 0 ? TEXT("positive") : TEXT("negative");
    case FLAME_NODE_CATEGORY:
        return profile_code_text(profile, node->dimension, node->id, digits);
    case FLAME_NODE_FRAME:
        return profile_text(profile, profile->dictionary.frames[node->id].name);
    default:
        return TEXT("all");
    }
}

struct text flame_node_file(const struct flame_graph *graph, const struct flame_node *node)
{
    const struct profile *profile = graph->profile;
    switch ((enum flame_node_kind)node->kind) {
    case FLAME_NODE_CATEGORY:
        return profile_text(profile, profile->dimensions[node->dimension].name);
    case FLAME_NODE_FRAME:
        return profile_text(profile, profile->dictionary.frames[node->id].file);
    default:
        return TEXT("");
    }
}

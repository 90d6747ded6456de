// SPDX-License-Identifier: Apache-2.0
#include "query/flame_graph.h"

#include "base/big_memory.h"
#include "query/flame_prune.h"
#include "query/stack_sums.h"

#include <stdlib.h>

struct place {
    uint32_t made_for; // the top under which it is, + 1
    uint32_t node;
};

struct grower {
    struct flame_graph *graph;
    const struct flame_options *options;
    const struct stack_sums *sums;
    const struct stack_view *view;
    struct number_map tops; // parent and category to node
    struct place *places;   // by stack of the view
    stack_id *path;
    uint32_t top;      // under which stacks grow
    uint32_t capacity; // of graph->nodes
    struct error *err;
};

static bool out_of_memory(const struct grower *grower)
{
    return error_set(grower->err, ERROR_NO_MEMORY, "flame graph: out of memory");
}

// --- nodes --------------------------------------------------------------------

// The first time as many as there are sums, some times over.
static bool reserve_nodes(struct grower *grower)
{
    struct flame_graph *graph = grower->graph;
    if (grower->capacity >= STACK_VIEW_MAX_NODES) {
        return error_set(grower->err, ERROR_LIMIT,
                         "flame graph: too many nodes; filter or use fewer categories");
    }
    uint64_t wanted =
        grower->capacity == 0 ? grower->sums->cnt * 4 + 1024 : 2ULL * grower->capacity;
    uint32_t capacity =
        wanted < STACK_VIEW_MAX_NODES ? (uint32_t)wanted : (uint32_t)STACK_VIEW_MAX_NODES;
    struct flame_node *nodes = realloc(graph->nodes, (size_t)capacity * sizeof *nodes);
    if (nodes == NULL) {
        return out_of_memory(grower);
    }
    big_memory_advise(nodes, (size_t)capacity * sizeof *nodes);
    graph->nodes = nodes;
    grower->capacity = capacity;
    return true;
}

static bool add_node(struct grower *grower, const struct flame_node *node, uint32_t *idx)
{
    struct flame_graph *graph = grower->graph;
    if (graph->node_cnt == grower->capacity && !reserve_nodes(grower)) {
        return false;
    }
    *idx = graph->node_cnt;
    graph->nodes[graph->node_cnt++] = *node;
    return true;
}

// A node above the frames; `key` tells it from its siblings.
static bool enter_top(struct grower *grower, uint32_t key, const struct flame_node *node)
{
    uint64_t number = (uint64_t)grower->top << 32 | key;
    uint32_t idx = number_map_find(&grower->tops, number);
    if (idx == 0 && (!add_node(grower, node, &idx) ||
                     (!number_map_add(&grower->tops, number, idx) && !out_of_memory(grower)))) {
        return false;
    }
    grower->top = idx;
    return true;
}

// Signs have the keys 0 and 1; the codes of the dimensions follow one another.
static bool enter_group(struct grower *grower, uint32_t group, uint32_t sign)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
    const struct category_groups *groups = &grower->sums->groups;
    uint32_t key = 2;
    grower->top = 0;
    if (grower->graph->has_signs) {
        struct flame_node node = {.kind = FLAME_NODE_SIGN, .id = sign};
        if (!enter_top(grower, sign, &node)) {
            return false;
        }
    }
    category_groups_codes(groups, group, codes);
    for (uint32_t i = 0; i < groups->level_cnt; i++) {
        uint32_t dimension = groups->levels[i].dimension;
        struct flame_node node = {.parent = grower->top,
                                  .id = codes[i],
                                  .dimension = (uint16_t)dimension,
                                  .kind = FLAME_NODE_CATEGORY};
        if (codes[i] != 0 && !enter_top(grower, key + codes[i], &node)) {
            return false;
        }
        key += grower->graph->profile->dimensions[dimension].value_cnt;
    }
    return true;
}

// --- stacks -------------------------------------------------------------------

// The node of a stack under the present top: up to the first that is there, and back.
static bool find_stack(struct grower *grower, stack_id stack, uint32_t *idx)
{
    const struct profile_node *nodes = grower->view->nodes;
    uint32_t mark = grower->top + 1;
    uint32_t depth = 0;
    for (; stack != 0 && grower->places[stack].made_for != mark; stack = nodes[stack].parent) {
        grower->path[depth++] = stack;
    }
    *idx = stack == 0 ? grower->top : grower->places[stack].node;
    while (depth > 0) {
        stack = grower->path[--depth];
        struct flame_node node = {
            .parent = *idx, .id = nodes[stack].frame, .kind = FLAME_NODE_FRAME};
        if (!add_node(grower, &node, idx)) {
            return false;
        }
        grower->places[stack] = (struct place){mark, *idx};
    }
    return true;
}

static bool add_sum(struct grower *grower, const struct stack_sum *sum, int64_t weight)
{
    uint32_t idx = 0;
    if ((weight == 0 && !grower->options->keeps_zeros) ||
        !stack_view_has(grower->view, sum->stack)) {
        return true;
    }
    if (!find_stack(grower, stack_view_of(grower->view, sum->stack), &idx)) {
        return false;
    }
    struct flame_node *node = &grower->graph->nodes[idx];
    node->self = weight_sum(node->self, weight);
    return true;
}

static bool grow_group(struct grower *grower, uint64_t begin, uint64_t end, uint32_t sign)
{
    bool is_entered = false;
    for (uint64_t i = begin; i < end; i++) {
        const struct stack_sum *sum = &grower->sums->sums[i];
        int64_t weight = sign == 0 ? sum->gain : sum->drop;
        // Of zeros the positive half is enough.
        if (weight == 0 && (sign == 1 || !grower->options->keeps_zeros)) {
            continue;
        }
        if (!is_entered && !enter_group(grower, sum->group, sign)) {
            return false;
        }
        is_entered = true;
        if (!add_sum(grower, sum, weight)) {
            return false;
        }
    }
    return true;
}

static bool grow_all(struct grower *grower)
{
    const struct stack_sums *sums = grower->sums;
    uint32_t root = 0;
    struct flame_node node = {.kind = FLAME_NODE_ROOT};
    if (!add_node(grower, &node, &root)) {
        return false;
    }
    for (uint32_t sign = 0; sign < (grower->graph->has_signs ? 2U : 1U); sign++) {
        for (uint64_t begin = 0, end = 0; begin < sums->cnt; begin = end) {
            for (end = begin; end < sums->cnt && sums->sums[end].group == sums->sums[begin].group;
                 end++) {
            }
            if (!grow_group(grower, begin, end, sign)) {
                return false;
            }
        }
    }
    return true;
}

// --- the whole ----------------------------------------------------------------

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

static uint8_t *used_stacks(const struct stack_sums *sums, const struct profile *profile)
{
    uint8_t *is_used = calloc(1, (size_t)profile->dictionary.node_cnt + 1);
    for (uint64_t i = 0; i < sums->cnt && is_used != NULL; i++) {
        is_used[sums->sums[i].stack] = 1;
    }
    return is_used;
}

static bool grow_graph(struct grower *grower)
{
    size_t cnt = (size_t)grower->view->node_cnt + 1;
    grower->places = calloc(cnt, sizeof *grower->places);
    grower->path = malloc(cnt * sizeof *grower->path);
    bool ok = (grower->places != NULL && grower->path != NULL) || out_of_memory(grower);
    ok = ok && grow_all(grower);
    free(grower->places);
    free(grower->path);
    number_map_deinit(&grower->tops);
    return ok;
}

bool flame_graph_init(struct flame_graph *graph, const struct selection *selection,
                      const struct flame_options *options, struct error *err)
{
    struct stack_sums sums;
    struct stack_view view = {.nodes = NULL};
    struct grower grower = {
        .graph = graph, .options = options, .sums = &sums, .view = &view, .err = err};
    *graph = (struct flame_graph){.profile = selection->profile,
                                  .has_lines = options->view.splits_lines};
    bool ok = stack_sums_init(&sums, selection, options->weight, options->dimensions,
                              options->dimension_cnt, err);
    uint8_t *is_used = ok ? used_stacks(&sums, selection->profile) : NULL;
    ok = ok && (is_used != NULL || out_of_memory(&grower)) &&
         stack_view_init(&view, selection->profile, &options->view, is_used, err);
    if (ok) {
        graph->has_signs = options->always_signs || sums.has_drops;
        count_rows(graph, &sums, &view);
        ok = grow_graph(&grower) && (flame_graph_prune(graph, options) || out_of_memory(&grower));
    }
    free(is_used);
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

// SPDX-License-Identifier: Apache-2.0
#include "query/flame_grow.h"

#include "base/big_memory.h"
#include "query/flame_limit.h"

#include <stdlib.h>

enum { FIRST_NODES = 1 << 12, FEW_GROUPS = 4, NODES_PER_SUM = 8 };

// A chain of stacks in the present group.
struct twig {
    uint32_t chain;
    uint32_t cnt;    // of its nodes
    uint32_t parent; // a twig before it
    uint32_t node;   // its last one
    int64_t self;
    int64_t total;
};

// Of a chain: all that looking for its twig needs.
struct place {
    uint32_t made_for; // the mark of its group
    uint32_t twig;
    uint32_t parent; // chain
    uint32_t cnt;    // of its nodes
};

struct grower {
    struct flame_graph *graph;
    const struct flame_options *options;
    const struct stack_sums *sums;
    const struct stack_chains *chains;
    struct number_map tops; // parent and category to node
    struct place *places;   // by chain
    uint32_t *path;
    struct twig *twigs; // of the group; [0] is its top
    uint32_t twig_cnt;  // 0 = the group is not entered yet
    uint32_t mark;
    uint32_t top;      // under which the twigs grow
    uint32_t capacity; // of graph->nodes
    uint64_t done_cnt; // sums whose nodes are made
    bool may_skip;     // no total wraps around, so that none is above its parent's
    struct flame_limit limit;
    uint64_t skipped_cnt;
    struct error *err;
};

static bool out_of_memory(const struct grower *grower)
{
    return error_set(grower->err, ERROR_NO_MEMORY, "flame graph: out of memory");
}

// --- nodes --------------------------------------------------------------------

// As many as a few groups can have, at most some for each sum; then as the sums so far
// let expect of all of them, where all are kept.
static uint64_t wanted_nodes(const struct grower *grower)
{
    uint64_t sign_cnt = grower->graph->has_signs ? 2 : 1;
    uint64_t twice = 2ULL * grower->capacity;
    uint64_t all = grower->sums->cnt * sign_cnt;
    bool is_limited = grower->limit.max_nodes > 0 || grower->limit.min_share > 0;
    if (grower->capacity == 0 && !is_limited) {
        uint64_t groups = category_groups_count(&grower->sums->groups);
        groups = groups < FEW_GROUPS ? groups : FEW_GROUPS;
        uint64_t most = groups * sign_cnt * grower->chains->frame_cnt;
        return FIRST_NODES + (most < NODES_PER_SUM * all ? most : NODES_PER_SUM * all);
    }
    if (grower->done_cnt == 0 || is_limited) {
        return twice > 0 ? twice : FIRST_NODES;
    }
    double expected = (double)all / (double)grower->done_cnt * 1.125 * grower->graph->node_cnt;
    return expected > (double)twice ? (uint64_t)expected : twice;
}

static bool reserve_nodes(struct grower *grower, uint32_t cnt)
{
    struct flame_graph *graph = grower->graph;
    uint64_t needed = (uint64_t)graph->node_cnt + cnt;
    if (needed <= grower->capacity) {
        return true;
    }
    if (needed > STACK_VIEW_MAX_NODES) {
        return error_set(grower->err, ERROR_LIMIT,
                         "flame graph: too many nodes; filter or use fewer categories");
    }
    uint64_t wanted = wanted_nodes(grower);
    wanted = wanted > needed ? wanted : needed;
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

static bool add_top(struct grower *grower, const struct flame_node *node, uint32_t *idx)
{
    if (!reserve_nodes(grower, 1)) {
        return false;
    }
    *idx = grower->graph->node_cnt++;
    grower->graph->nodes[*idx] = *node;
    return true;
}

// --- above the frames -----------------------------------------------------------

// `key` tells a node from its siblings.
static bool enter_top(struct grower *grower, uint32_t key, const struct flame_node *node)
{
    uint64_t number = (uint64_t)grower->top << 32 | key;
    uint32_t idx = number_map_find(&grower->tops, number);
    if (idx == 0 && (!add_top(grower, node, &idx) ||
                     (!number_map_add(&grower->tops, number, idx) && !out_of_memory(grower)))) {
        return false;
    }
    grower->top = idx;
    return true;
}

// Signs have the keys 0 and 1; the codes of the dimensions follow one another.
static bool find_top(struct grower *grower, uint32_t group, uint32_t sign)
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

static bool enter_group(struct grower *grower, uint32_t group, uint32_t sign)
{
    if (!find_top(grower, group, sign)) {
        return false;
    }
    grower->mark++;
    grower->places[0] = (struct place){.made_for = grower->mark};
    grower->twigs[0] = (struct twig){.node = grower->top};
    grower->twig_cnt = 1;
    return true;
}

static void add_to_tops(struct grower *grower)
{
    struct flame_node *nodes = grower->graph->nodes;
    nodes[grower->top].self = weight_sum(nodes[grower->top].self, grower->twigs[0].self);
    for (uint32_t at = grower->top;; at = nodes[at].parent) {
        nodes[at].total = weight_sum(nodes[at].total, grower->twigs[0].total);
        if (at == 0) {
            return;
        }
    }
}

// --- a group ----------------------------------------------------------------------

// The twig of a chain: up to the first that is there, and back.
static inline struct twig *twig_of(struct grower *grower, uint32_t chain)
{
    uint32_t depth = 0;
    for (; grower->places[chain].made_for != grower->mark; chain = grower->places[chain].parent) {
        grower->path[depth++] = chain;
    }
    uint32_t at = grower->places[chain].twig;
    while (depth > 0) {
        chain = grower->path[--depth];
        struct place *place = &grower->places[chain];
        grower->twigs[grower->twig_cnt] =
            (struct twig){.chain = chain, .cnt = place->cnt, .parent = at};
        at = grower->twig_cnt++;
        place->made_for = grower->mark;
        place->twig = at;
    }
    return &grower->twigs[at];
}

static bool add_sums(struct grower *grower, uint32_t group, uint64_t begin, uint64_t end,
                     uint32_t sign)
{
    // Of zeros the positive half is enough.
    bool keeps_zeros = sign == 0 && grower->options->keeps_zeros;
    for (uint64_t i = begin; i < end; i++) {
        const struct stack_sum *sum = &grower->sums->sums[i];
        int64_t weight = sign == 0 ? sum->gain : sum->drop;
        if (weight == 0 && !keeps_zeros) {
            continue;
        }
        if (grower->twig_cnt == 0 && !enter_group(grower, group, sign)) {
            return false;
        }
        uint32_t chain = grower->chains->of_stack[sum->stack];
        if (chain != STACK_CHAIN_NONE) {
            struct twig *twig = twig_of(grower, chain);
            twig->self = weight_sum(twig->self, weight);
        }
    }
    return true;
}

static void sum_twigs(struct grower *grower)
{
    struct twig *twigs = grower->twigs;
    for (uint32_t i = grower->twig_cnt - 1; i > 0; i--) {
        struct twig *parent = &twigs[twigs[i].parent];
        twigs[i].total = weight_sum(twigs[i].total, twigs[i].self);
        parent->total = weight_sum(parent->total, twigs[i].total);
    }
    twigs[0].total = weight_sum(twigs[0].total, twigs[0].self);
}

static void raise_limit(struct grower *grower)
{
    if (!grower->may_skip) {
        return;
    }
    for (uint32_t i = 1; i < grower->twig_cnt && grower->limit.max_nodes > 0; i++) {
        const struct twig *twig = &grower->twigs[i];
        if (twig->total >= grower->limit.least) {
            flame_limit_count(&grower->limit, twig->total, twig->cnt);
        }
    }
    flame_limit_raise(&grower->limit, grower->graph->nodes[0].total);
}

static void put_twig(struct flame_node *nodes, uint32_t at, const struct twig *twig,
                     uint32_t parent, const frame_id *frames)
{
    for (uint32_t i = 0; i < twig->cnt; i++) {
        nodes[at + i] = (struct flame_node){
            .parent = parent, .id = frames[i], .kind = FLAME_NODE_FRAME, .total = twig->total};
        parent = at + i;
    }
    nodes[parent].self = twig->self;
}

// What is lighter than the limit is skipped, and with it what is above it.
static bool put_twigs(struct grower *grower)
{
    struct flame_graph *graph = grower->graph;
    int64_t least = grower->limit.least;
    for (uint32_t i = 1; i < grower->twig_cnt; i++) {
        struct twig *twig = &grower->twigs[i];
        if (twig->total < least) {
            grower->skipped_cnt += twig->cnt;
            continue;
        }
        if (!reserve_nodes(grower, twig->cnt)) {
            return false;
        }
        put_twig(graph->nodes, graph->node_cnt, twig, grower->twigs[twig->parent].node,
                 grower->chains->frames + grower->chains->chains[twig->chain].begin);
        graph->node_cnt += twig->cnt;
        twig->node = graph->node_cnt - 1;
    }
    return true;
}

static bool grow_group(struct grower *grower, uint32_t group, uint64_t begin, uint64_t end,
                       uint32_t sign)
{
    grower->twig_cnt = 0;
    if (!add_sums(grower, group, begin, end, sign)) {
        return false;
    }
    if (grower->twig_cnt > 0) {
        sum_twigs(grower);
        add_to_tops(grower);
        raise_limit(grower);
        if (!put_twigs(grower)) {
            return false;
        }
    }
    grower->done_cnt += end - begin;
    return true;
}

// --- the whole ----------------------------------------------------------------------

static bool grow_all(struct grower *grower)
{
    const struct stack_sums *sums = grower->sums;
    uint32_t root = 0;
    struct flame_node node = {.kind = FLAME_NODE_ROOT};
    if (!add_top(grower, &node, &root)) {
        return false;
    }
    for (uint32_t sign = 0; sign < (grower->graph->has_signs ? 2U : 1U); sign++) {
        for (uint32_t i = 0; i < category_groups_count(&sums->groups); i++) {
            uint64_t begin = i == 0 ? 0 : sums->group_end[i - 1];
            if (!grow_group(grower, i, begin, sums->group_end[i], sign)) {
                return false;
            }
        }
    }
    return true;
}

static bool allocate(struct grower *grower)
{
    const struct stack_chains *chains = grower->chains;
    size_t cnt = (size_t)chains->cnt + 1;
    grower->places = malloc(cnt * sizeof *grower->places);
    grower->path = malloc(cnt * sizeof *grower->path);
    grower->twigs = malloc(cnt * sizeof *grower->twigs);
    if (grower->places == NULL || grower->path == NULL || grower->twigs == NULL) {
        return out_of_memory(grower);
    }
    for (uint32_t i = 0; i < chains->cnt; i++) {
        const struct stack_chain *chain = &chains->chains[i];
        grower->places[i] =
            (struct place){.parent = chain->parent, .cnt = chain->end - chain->begin};
    }
    return true;
}

bool flame_graph_grow(struct flame_graph *graph, const struct flame_options *options,
                      const struct stack_sums *sums, const struct stack_chains *chains,
                      struct error *err)
{
    struct grower grower = {
        .graph = graph,
        .options = options,
        .sums = sums,
        .chains = chains,
        .may_skip = sums->is_exact,
        .limit = flame_limit_of(options->max_nodes, options->min_share),
        .err = err,
    };
    bool ok = allocate(&grower) && grow_all(&grower);
    graph->pruned_cnt = grower.skipped_cnt < UINT32_MAX ? (uint32_t)grower.skipped_cnt : UINT32_MAX;
    free(grower.places);
    free(grower.path);
    free(grower.twigs);
    number_map_deinit(&grower.tops);
    return ok;
}

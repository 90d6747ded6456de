// SPDX-License-Identifier: Apache-2.0
#include "query/flame_grow.h"

#include "base/big_memory.h"
#include "query/flame_limit.h"

#include <stdlib.h>

enum { SIGN_CNT = 2 };
enum { FIRST_NODES = 1 << 12, FEW_GROUPS = 4, NODES_PER_SUM = 8 };

// A chain of stacks in the present group.
struct twig {
    uint32_t chain;
    uint32_t cnt;    // of its nodes
    uint32_t parent; // a twig before it
    uint32_t node;   // its last one, of the present sign
    int64_t self[SIGN_CNT];
    int64_t total[SIGN_CNT];
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
    uint32_t twig_cnt;
    uint32_t *heavy; // twigs that may stay, the last one first
    uint32_t heavy_cnt;
    uint32_t sign; // the first of those that grow at once, and behind the last one
    uint32_t end_sign;
    bool has_sign[SIGN_CNT]; // in the group
    uint32_t mark;
    uint32_t top;      // under which the twigs grow
    uint32_t capacity; // of graph->nodes
    uint64_t done_cnt; // sums whose nodes are made
    bool may_skip;     // no total wraps around, so that none is above its parent's
    struct flame_limit limit;
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

static void enter_group(struct grower *grower)
{
    grower->mark++;
    grower->places[0] = (struct place){.made_for = grower->mark};
    grower->twigs[0] = (struct twig){.chain = 0};
    grower->twig_cnt = 1;
    grower->has_sign[0] = false;
    grower->has_sign[1] = false;
}

static void add_to_tops(struct grower *grower, uint32_t sign)
{
    struct flame_node *nodes = grower->graph->nodes;
    const struct twig *twig = &grower->twigs[0];
    nodes[grower->top].self = weight_sum(nodes[grower->top].self, twig->self[sign]);
    for (uint32_t at = grower->top;; at = nodes[at].parent) {
        nodes[at].total = weight_sum(nodes[at].total, twig->total[sign]);
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

// The weight of a sum in each sign that grows; false where it is none. Of zeros the
// positive half is enough.
static inline bool weighs(struct grower *grower, const struct stack_sum *sum,
                          int64_t weights[SIGN_CNT])
{
    bool is_positive = grower->sign == 0;
    bool is_negative = grower->end_sign == SIGN_CNT;
    weights[0] = is_positive ? sum->gain : 0;
    weights[1] = is_negative ? sum->drop : 0;
    bool has_positive = is_positive && (sum->gain != 0 || grower->options->keeps_zeros);
    grower->has_sign[0] |= has_positive;
    grower->has_sign[1] |= weights[1] != 0;
    return has_positive || weights[1] != 0;
}

static void add_sums(struct grower *grower, uint64_t begin, uint64_t end)
{
    int64_t weights[SIGN_CNT];
    for (uint64_t i = begin; i < end; i++) {
        const struct stack_sum *sum = &grower->sums->sums[i];
        if (!weighs(grower, sum, weights)) {
            continue;
        }
        uint32_t chain = grower->chains->of_stack[sum->stack];
        if (chain != STACK_CHAIN_NONE) {
            struct twig *twig = twig_of(grower, chain);
            twig->self[0] = weight_sum(twig->self[0], weights[0]);
            twig->self[1] = weight_sum(twig->self[1], weights[1]);
        }
    }
}

// A child is behind its parent. What is lighter than the limit is left out, and with it
// what is above it.
static void sum_twigs(struct grower *grower)
{
    struct twig *twigs = grower->twigs;
    int64_t least = grower->limit.least;
    grower->heavy_cnt = 0;
    for (uint32_t i = grower->twig_cnt - 1; i > 0; i--) {
        struct twig *twig = &twigs[i];
        struct twig *parent = &twigs[twig->parent];
        for (uint32_t sign = 0; sign < SIGN_CNT; sign++) {
            twig->total[sign] = weight_sum(twig->total[sign], twig->self[sign]);
            parent->total[sign] = weight_sum(parent->total[sign], twig->total[sign]);
        }
        grower->heavy[grower->heavy_cnt] = i;
        grower->heavy_cnt += twig->total[0] >= least || twig->total[1] >= least;
    }
    twigs[0].total[0] = weight_sum(twigs[0].total[0], twigs[0].self[0]);
    twigs[0].total[1] = weight_sum(twigs[0].total[1], twigs[0].self[1]);
}

// Where both signs grow at once, no total wraps around: one that is 0 has no weight.
static inline bool is_of_sign(const struct grower *grower, const struct twig *twig, uint32_t sign)
{
    return grower->end_sign - grower->sign == 1 || twig->total[sign] != 0 ||
           (sign == 0 && grower->options->keeps_zeros);
}

static void raise_limit(struct grower *grower, uint32_t sign)
{
    if (!grower->may_skip) {
        return;
    }
    for (uint32_t i = 0; i < grower->heavy_cnt && grower->limit.max_nodes > 0; i++) {
        const struct twig *twig = &grower->twigs[grower->heavy[i]];
        if (twig->total[sign] >= grower->limit.least && is_of_sign(grower, twig, sign)) {
            flame_limit_count(&grower->limit, twig->total[sign], twig->cnt);
        }
    }
    flame_limit_raise(&grower->limit, grower->graph->nodes[0].total);
}

static void put_twig(struct flame_node *nodes, uint32_t at, const struct twig *twig, uint32_t sign,
                     uint32_t parent, const frame_id *frames)
{
    for (uint32_t i = 0; i < twig->cnt; i++) {
        nodes[at + i] = (struct flame_node){.parent = parent,
                                            .id = frames[i],
                                            .kind = FLAME_NODE_FRAME,
                                            .total = twig->total[sign]};
        parent = at + i;
    }
    nodes[parent].self = twig->self[sign];
}

static bool put_twigs(struct grower *grower, uint32_t sign)
{
    struct flame_graph *graph = grower->graph;
    int64_t least = grower->limit.least;
    for (uint32_t i = grower->heavy_cnt; i > 0; i--) {
        struct twig *twig = &grower->twigs[grower->heavy[i - 1]];
        if (!is_of_sign(grower, twig, sign) || twig->total[sign] < least) {
            continue;
        }
        if (!reserve_nodes(grower, twig->cnt)) {
            return false;
        }
        put_twig(graph->nodes, graph->node_cnt, twig, sign, grower->twigs[twig->parent].node,
                 grower->chains->frames + grower->chains->chains[twig->chain].begin);
        graph->node_cnt += twig->cnt;
        twig->node = graph->node_cnt - 1;
    }
    return true;
}

static bool grow_sign(struct grower *grower, uint32_t group, uint32_t sign)
{
    if (!find_top(grower, group, sign)) {
        return false;
    }
    grower->twigs[0].node = grower->top;
    add_to_tops(grower, sign);
    raise_limit(grower, sign);
    return put_twigs(grower, sign);
}

static bool grow_group(struct grower *grower, uint32_t group, uint64_t begin, uint64_t end)
{
    enter_group(grower);
    add_sums(grower, begin, end);
    sum_twigs(grower);
    for (uint32_t sign = grower->sign; sign < grower->end_sign; sign++) {
        if (grower->has_sign[sign] && !grow_sign(grower, group, sign)) {
            return false;
        }
        grower->done_cnt += end - begin;
    }
    return true;
}

// --- the whole ----------------------------------------------------------------------

static bool grow_groups(struct grower *grower)
{
    const struct stack_sums *sums = grower->sums;
    for (uint32_t i = 0; i < category_groups_count(&sums->groups); i++) {
        uint64_t begin = i == 0 ? 0 : sums->group_end[i - 1];
        if (!grow_group(grower, i, begin, sums->group_end[i])) {
            return false;
        }
    }
    return true;
}

// Its node is in front of the negative one's, whatever the first group has.
static bool enter_positive(struct grower *grower)
{
    struct flame_node node = {.kind = FLAME_NODE_SIGN, .id = 0};
    const struct stack_sums *sums = grower->sums;
    bool is_there = grower->options->keeps_zeros && sums->cnt > 0;
    for (uint64_t i = 0; i < sums->cnt && !is_there; i++) {
        is_there = sums->sums[i].gain != 0;
    }
    grower->top = 0;
    return !is_there || enter_top(grower, 0, &node);
}

// A group's stacks are the same for both signs, and looked for once, where a total of 0
// says that there is nothing.
static bool grow_all(struct grower *grower)
{
    struct flame_node node = {.kind = FLAME_NODE_ROOT};
    uint32_t root = 0;
    uint32_t sign_cnt = grower->graph->has_signs ? SIGN_CNT : 1;
    uint32_t at_once = grower->may_skip ? sign_cnt : 1;
    if (!add_top(grower, &node, &root) || (grower->graph->has_signs && !enter_positive(grower))) {
        return false;
    }
    for (uint32_t sign = 0; sign < sign_cnt; sign += at_once) {
        grower->sign = sign;
        grower->end_sign = sign + at_once;
        if (!grow_groups(grower)) {
            return false;
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
    grower->heavy = malloc(cnt * sizeof *grower->heavy);
    if (grower->places == NULL || grower->path == NULL || grower->twigs == NULL ||
        grower->heavy == NULL) {
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
    free(grower.places);
    free(grower.path);
    free(grower.twigs);
    free(grower.heavy);
    number_map_deinit(&grower.tops);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
// Flame graphs of many groups and many stacks, which are made in other ways than small
// ones: against a tree to which rows are added one by one, and pruned ones against the
// whole graph.
#include "query/flame_graph.h"

#include "query_profile.h"

enum { ROWS = 6000, STACKS = 2500, FUNCTIONS = 60, MAX_DEPTH = 12, MAX_NODES = 300000 };

static struct query_row rows[ROWS];
static char stacks[STACKS][MAX_DEPTH * 4 + 1];
static struct error err;

// Chains and branches: most stacks go on where an earlier one has got to. A frame takes
// four bytes, the first one three.
static void make_stacks(uint64_t *state)
{
    for (uint32_t i = 1; i < STACKS; i++) {
        const char *earlier = stacks[query_random(state) % i];
        size_t kept = (strlen(earlier) + 1) / 4 * (query_random(state) % 4) / 4;
        size_t depth = kept + 1 + query_random(state) % (MAX_DEPTH - kept);
        (void)snprintf(stacks[i], sizeof stacks[i], "%.*s", kept > 0 ? (int)kept * 4 - 1 : 0,
                       earlier);
        for (; kept < depth; kept++) {
            size_t at = strlen(stacks[i]);
            (void)snprintf(stacks[i] + at, sizeof stacks[i] - at, "%sf%02u", at == 0 ? "" : ";",
                           (unsigned)(query_random(state) % FUNCTIONS));
        }
    }
}

static struct profile *wide_profile(void)
{
    uint64_t state = 1234567891234567ULL;
    struct profile *narrow = random_profile(rows, ROWS);
    profile_destroy(narrow);
    make_stacks(&state);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t below = 1 + query_random(&state) % STACKS;
        rows[i].stack = stacks[query_random(&state) % below];
        rows[i].period <<= 40; // no sum wraps around
        rows[i].delta = query_random(&state) % 5 == 0 ? 0 : rows[i].delta;
    }
    return query_profile(rows, ROWS);
}

// --- the tree -----------------------------------------------------------------------

struct branch {
    char text[16];
    uint32_t first_child;
    uint32_t sibling;
    int64_t self;
    int64_t total;
};

static struct branch tree[MAX_NODES];
static uint32_t tree_cnt;

// 0 when there is none.
static uint32_t find_child(uint32_t parent, const char *text)
{
    uint32_t child = tree[parent].first_child;
    while (child != 0 && strcmp(tree[child].text, text) != 0) {
        child = tree[child].sibling;
    }
    return child;
}

static uint32_t child_of(uint32_t parent, const char *text)
{
    uint32_t child = find_child(parent, text);
    if (child == 0) {
        CHECK(tree_cnt < MAX_NODES);
        child = tree_cnt++;
        tree[child] = (struct branch){.sibling = tree[parent].first_child};
        (void)snprintf(tree[child].text, sizeof tree[child].text, "%s", text);
        tree[parent].first_child = child;
    }
    return child;
}

// The root's part, or the leaf's, from the first of `focus` on ("" = all). Returns how
// many frames are in it.
static uint32_t frames_of(const char *stack, const char *focus, bool is_reversed,
                          char frames[MAX_DEPTH][4])
{
    uint32_t depth = (uint32_t)(strlen(stack) + 1) / 4;
    uint32_t cnt = 0;
    bool is_in = focus[0] == '\0';
    for (uint32_t i = 0; i < depth; i++) {
        const char *frame = stack + (size_t)(is_reversed ? depth - 1 - i : i) * 4;
        is_in |= strncmp(frame, focus, 3) == 0;
        if (is_in) {
            (void)snprintf(frames[cnt++], 4, "%.3s", frame);
        }
    }
    return cnt;
}

struct shape {
    struct flame_options options;
    const struct filter *filter; // NULL or status!=running
    const char *focus;           // a function
};

static uint32_t top_of(const struct query_row *row, const struct shape *shape, const char *sign)
{
    char tid[24];
    (void)snprintf(tid, sizeof tid, "%" PRId64, row->tid);
    const char *categories[] = {row->registered, row->status, tid, tid, tid, tid};
    uint32_t at = sign[0] == '\0' ? 0 : child_of(0, sign);
    for (uint32_t i = 0; i < shape->options.dimension_cnt; i++) {
        at = categories[i] == NULL ? at : child_of(at, categories[i]);
    }
    return at;
}

static void add_path(const struct query_row *row, const struct shape *shape, const char *sign,
                     int64_t weight)
{
    char frames[MAX_DEPTH][4];
    uint32_t at = top_of(row, shape, sign);
    uint32_t cnt = frames_of(row->stack, shape->focus, shape->options.view.is_reversed, frames);
    for (uint32_t i = 0; i < cnt; i++) {
        at = child_of(at, frames[i]);
    }
    tree[at].self += cnt > 0 || shape->focus[0] == '\0' ? weight : 0;
}

static void add_row(const struct query_row *row, const struct shape *shape)
{
    enum weight_form form = shape->options.weight.form;
    int64_t weight = form == WEIGHT_SAMPLES ? 1 : form == WEIGHT_PERIOD ? row->period : row->delta;
    bool has_signs = form == WEIGHT_DELTA;
    if ((has_signs && row->lacks_metric) ||
        (shape->filter != NULL && strcmp(row->status, "running") == 0)) {
        return;
    }
    if (weight > 0 || shape->options.keeps_zeros) {
        add_path(row, shape, has_signs ? "positive" : "", weight > 0 ? weight : 0);
    }
    if (weight < 0) {
        add_path(row, shape, "negative", -weight);
    }
}

static void sum_tree(uint32_t at)
{
    tree[at].total = tree[at].self;
    for (uint32_t child = tree[at].first_child; child != 0; child = tree[child].sibling) {
        sum_tree(child);
        tree[at].total += tree[child].total;
    }
}

static void make_tree(const struct shape *shape)
{
    tree[0] = (struct branch){.text = "all"};
    tree_cnt = 1;
    for (uint32_t i = 0; i < ROWS; i++) {
        add_row(&rows[i], shape);
    }
    sum_tree(0);
}

// --- the graph ----------------------------------------------------------------------

static struct flame_graph make(const struct profile *profile, const struct shape *shape)
{
    struct selection selection;
    struct flame_graph graph;
    CHECK(selection_init(&selection, profile, NULL, shape->filter, &err));
    CHECK(flame_graph_init(&graph, &selection, &shape->options, &err));
    selection_deinit(&selection);
    return graph;
}

// As many nodes, each with its own in the tree: then they are the same.
static void check_tree(const struct flame_graph *graph)
{
    static uint32_t places[MAX_NODES];
    char digits[PROFILE_DIGITS_BYTES];
    CHECK_UINT(graph->node_cnt, tree_cnt);
    for (uint32_t i = 1; i < graph->node_cnt; i++) {
        char name[32];
        const struct flame_node *node = &graph->nodes[i];
        struct text text = flame_node_text(graph, node, digits);
        (void)snprintf(name, sizeof name, "%.*s", (int)text.len, text.bytes);
        CHECK(node->parent < i);
        places[i] = find_child(places[node->parent], name);
        CHECK(places[i] != 0);
        CHECK_INT(node->self, tree[places[i]].self);
        CHECK_INT(node->total, tree[places[i]].total);
    }
    CHECK_INT(graph->nodes[0].self, tree[0].self);
    CHECK_INT(graph->nodes[0].total, tree[0].total);
}

static int heavier(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return *a > *b ? -1 : *a < *b;
}

static int64_t limit_of(const struct flame_graph *whole, const struct flame_options *options)
{
    static int64_t totals[MAX_NODES];
    double share = (double)whole->nodes[0].total * options->min_share;
    int64_t limit = options->min_share <= 0 ? INT64_MIN : share < 1 ? 1 : (int64_t)share;
    for (uint32_t i = 0; i < whole->node_cnt; i++) {
        totals[i] = whole->nodes[i].total;
    }
    qsort(totals, whole->node_cnt, sizeof totals[0], heavier);
    if (options->max_nodes > 0 && options->max_nodes < whole->node_cnt &&
        totals[options->max_nodes] >= limit) {
        limit = totals[options->max_nodes] + 1;
    }
    return limit;
}

// The nodes of the whole graph without the light ones, in the same order.
static void check_pruned(const struct profile *profile, const struct flame_graph *whole,
                         struct shape shape, uint32_t max_nodes, double min_share)
{
    static uint32_t moved_to[MAX_NODES];
    uint32_t cnt = 1;
    shape.options.max_nodes = max_nodes;
    shape.options.min_share = min_share;
    struct flame_graph graph = make(profile, &shape);
    int64_t limit = limit_of(whole, &shape.options);
    moved_to[0] = 0;
    for (uint32_t i = 1; i < whole->node_cnt; i++) {
        const struct flame_node *node = &whole->nodes[i];
        moved_to[i] = UINT32_MAX;
        if (moved_to[node->parent] == UINT32_MAX ||
            (node->total < limit && node->kind != FLAME_NODE_SIGN)) {
            continue;
        }
        CHECK(cnt < graph.node_cnt);
        const struct flame_node *kept = &graph.nodes[cnt];
        CHECK_UINT(kept->parent, moved_to[node->parent]);
        CHECK_UINT(kept->id, node->id);
        CHECK_UINT(kept->kind, node->kind);
        CHECK_UINT(kept->dimension, node->dimension);
        CHECK_INT(kept->self, node->self);
        CHECK_INT(kept->total, node->total);
        moved_to[i] = cnt++;
    }
    CHECK_UINT(graph.node_cnt, cnt);
    CHECK_INT(graph.nodes[0].total, whole->nodes[0].total);
    CHECK_INT(graph.nodes[0].self, whole->nodes[0].self);
    flame_graph_deinit(&graph);
}

static void check_shape(const struct profile *profile, const struct shape *shape)
{
    struct flame_graph graph = make(profile, shape);
    make_tree(shape);
    check_tree(&graph);
    check_pruned(profile, &graph, *shape, 1, 0);
    check_pruned(profile, &graph, *shape, 7, 0);
    check_pruned(profile, &graph, *shape, 400, 0);
    check_pruned(profile, &graph, *shape, graph.node_cnt - 1, 0);
    check_pruned(profile, &graph, *shape, graph.node_cnt, 0);
    check_pruned(profile, &graph, *shape, 0, 0.001);
    check_pruned(profile, &graph, *shape, 400, 0.0001);
    check_pruned(profile, &graph, *shape, 400, 0.01);
    flame_graph_deinit(&graph);
}

static void check_shapes(struct weight weight, uint32_t dimension_cnt)
{
    struct pattern_fault fault;
    struct profile *profile = wide_profile();
    struct filter *filter = filter_create(TEXT("status!=running"), NULL, &err);
    struct pattern *pattern = pattern_create(TEXT("^f07$"), &fault);
    uint32_t registered = (uint32_t)profile_find_dimension(profile, TEXT("registered"));
    uint32_t dimensions[] = {registered,  PROFILE_STATUS, PROFILE_TID,
                             PROFILE_TID, PROFILE_TID,    PROFILE_TID};
    for (int i = 0; i < 16; i++) {
        struct shape shape = {
            .options = {.weight = weight,
                        .dimensions = dimensions,
                        .dimension_cnt = dimension_cnt,
                        .view = {.is_reversed = (i & 1) != 0,
                                 .focus = (i & 2) != 0 ? pattern : NULL},
                        .keeps_zeros = (i & 8) != 0},
            .filter = (i & 4) != 0 ? filter : NULL,
            .focus = (i & 2) != 0 ? "f07" : "",
        };
        check_shape(profile, &shape);
    }
    pattern_destroy(pattern);
    filter_destroy(filter);
    profile_destroy(profile);
}

TEST(samples_without_groups)
{
    check_shapes((struct weight){WEIGHT_SAMPLES, 0}, 0);
}

TEST(samples_of_some_groups)
{
    check_shapes((struct weight){WEIGHT_SAMPLES, 0}, 2);
}

TEST(samples_of_many_groups)
{
    check_shapes((struct weight){WEIGHT_SAMPLES, 0}, 3);
}

TEST(weights_of_some_groups)
{
    check_shapes((struct weight){WEIGHT_PERIOD, 0}, 2);
}

TEST(weights_of_many_groups)
{
    check_shapes((struct weight){WEIGHT_PERIOD, 0}, 3);
}

TEST(signs_without_groups)
{
    check_shapes((struct weight){WEIGHT_DELTA, 0}, 0);
}

TEST(signs_of_some_groups)
{
    check_shapes((struct weight){WEIGHT_DELTA, 0}, 1);
}

TEST(signs_of_many_groups)
{
    check_shapes((struct weight){WEIGHT_DELTA, 0}, 3);
}

// Of six dimensions, for which there is no table of all groups.
TEST(signs_of_groups_that_are_found_one_by_one)
{
    check_shapes((struct weight){WEIGHT_DELTA, 0}, 6);
}

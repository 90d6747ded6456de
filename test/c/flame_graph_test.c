// SPDX-License-Identifier: Apache-2.0
#include "query/flame_graph.h"

#include "query_profile.h"

enum { ROWS = 5000 };

static struct query_row rows[ROWS];
static struct error err;

// Every node as "path self total", in one line each, sorted by path: made by walking
// up, so that parents must be right.
static char shown[4096];

static void path_of(const struct flame_graph *graph, uint32_t idx, char *to, size_t size)
{
    char digits[PROFILE_DIGITS_BYTES];
    const struct flame_node *node = &graph->nodes[idx];
    if (idx != 0) {
        CHECK(node->parent < idx);
        path_of(graph, node->parent, to, size);
        struct text text = flame_node_text(graph, node, digits);
        size_t len = strlen(to);
        (void)snprintf(to + len, size - len, "/%.*s", (int)text.len, text.bytes);
    } else {
        to[0] = '\0';
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *show(const struct flame_graph *graph)
{
    static char lines[64][256];
    CHECK(graph->node_cnt <= 64);
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        path_of(graph, i, lines[i], sizeof lines[i]);
        size_t len = strlen(lines[i]);
        (void)snprintf(lines[i] + len, sizeof lines[i] - len, " %" PRId64 " %" PRId64 "\n",
                       graph->nodes[i].self, graph->nodes[i].total);
    }
    qsort(lines, graph->node_cnt, sizeof lines[0], by_text);
    shown[0] = '\0';
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        strcat(shown, lines[i]);
    }
    return shown;
}

static struct flame_graph make(const struct profile *profile, struct flame_options options)
{
    struct selection selection;
    struct flame_graph graph;
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(flame_graph_init(&graph, &selection, &options, &err));
    selection_deinit(&selection);
    return graph;
}

static const char *show_small(struct flame_options options)
{
    struct profile *profile = small_profile();
    struct flame_graph graph = make(profile, options);
    const char *text = show(&graph);
    flame_graph_deinit(&graph);
    profile_destroy(profile);
    return text;
}

static const struct weight PERIOD = {WEIGHT_PERIOD, 0};
static const struct weight DELTA = {WEIGHT_DELTA, 0};

TEST(functions_from_the_root)
{
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD}), " 5 55\n"
                                                                    "/init 0 50\n"
                                                                    "/init/a 0 40\n"
                                                                    "/init/a/a 20 20\n"
                                                                    "/init/a/lists:map/2 20 20\n"
                                                                    "/init/b 10 10\n");
}

TEST(lines_may_be_frames_of_their_own)
{
    CHECK_HAS(show_small((struct flame_options){.weight = PERIOD, .view = {.splits_lines = true}}),
              "/init/a/lists:map/2 10 10\n/init/a/lists:map/2 10 10\n");
}

TEST(signs_are_two_graphs)
{
    CHECK_STR(show_small((struct flame_options){.weight = DELTA}),
              " 0 71\n"
              "/negative 50 57\n"
              "/negative/init 0 7\n"
              "/negative/init/b 7 7\n"
              "/positive 0 14\n"
              "/positive/init 0 14\n"
              "/positive/init/a 0 14\n"
              "/positive/init/a/lists:map/2 14 14\n");
}

TEST(categories_are_root_frames_in_any_order)
{
    struct profile *profile = small_profile();
    uint32_t registered = (uint32_t)profile_find_dimension(profile, TEXT("registered"));
    uint32_t dimensions[] = {PROFILE_STATUS, registered};
    profile_destroy(profile);
    CHECK_STR(show_small((struct flame_options){
                  .weight = PERIOD, .dimensions = dimensions, .dimension_cnt = 2}),
              " 0 55\n"
              "/gc 5 5\n"
              "/running 0 40\n"
              "/running/init 0 20\n"
              "/running/init/a 0 20\n"
              "/running/init/a/a 20 20\n"
              "/running/shop 0 20\n"
              "/running/shop/init 0 20\n"
              "/running/shop/init/a 0 20\n"
              "/running/shop/init/a/lists:map/2 20 20\n"
              "/waiting 0 10\n"
              "/waiting/init 0 10\n"
              "/waiting/init/b 10 10\n");
    uint32_t turned[] = {registered, PROFILE_STATUS};
    CHECK_HAS(show_small((struct flame_options){
                  .weight = PERIOD, .dimensions = turned, .dimension_cnt = 2}),
              "/shop/running/init/a/lists:map/2 20 20\n");
}

TEST(reversed_shows_callers)
{
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD, .view = {.is_reversed = true}}),
              " 5 55\n"
              "/a 0 20\n"
              "/a/a 0 20\n"
              "/a/a/init 20 20\n"
              "/b 0 10\n"
              "/b/init 10 10\n"
              "/lists:map/2 0 20\n"
              "/lists:map/2/a 0 20\n"
              "/lists:map/2/a/init 20 20\n");
}

TEST(focus_begins_at_a_function)
{
    struct pattern_fault fault;
    struct pattern *pattern = pattern_create(TEXT("^a$"), &fault);
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD, .view = {.focus = pattern}}),
              " 0 40\n"
              "/a 0 40\n"
              "/a/a 20 20\n"
              "/a/lists:map/2 20 20\n");
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD,
                                                .view = {.focus = pattern, .is_reversed = true}}),
              " 0 40\n"
              "/a 0 40\n"
              "/a/a 0 20\n"
              "/a/a/init 20 20\n"
              "/a/init 20 20\n");
    pattern_destroy(pattern);
}

TEST(pruning_keeps_totals)
{
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD, .max_nodes = 3}),
              " 5 55\n"
              "/init 0 50\n"
              "/init/a 0 40\n");
    CHECK_STR(show_small((struct flame_options){.weight = PERIOD, .min_share = 0.7}),
              " 5 55\n"
              "/init 0 50\n"
              "/init/a 0 40\n");
    struct profile *profile = random_profile(rows, ROWS);
    for (uint32_t max = 1; max < 12; max++) {
        struct flame_graph graph =
            make(profile, (struct flame_options){.weight = PERIOD, .max_nodes = max});
        CHECK(graph.node_cnt <= max);
        CHECK_INT(graph.nodes[0].total, graph.total);
        flame_graph_deinit(&graph);
    }
    profile_destroy(profile);
}

TEST(metrics_that_are_lacking_are_counted)
{
    struct profile *profile = small_profile();
    struct flame_graph graph = make(profile, (struct flame_options){.weight = DELTA});
    CHECK_UINT(graph.lacking_cnt, 1);
    CHECK_UINT(graph.row_cnt, 4);
    CHECK_INT(graph.total, -43);
    flame_graph_deinit(&graph);
    profile_destroy(profile);
}

// The sums of a large profile, whatever the shape of the graph.
static void check_sums(const struct profile *profile, struct flame_options options, int64_t gain,
                       int64_t drop)
{
    struct flame_graph graph = make(profile, options);
    int64_t self = 0;
    for (uint32_t i = 0; i < graph.node_cnt; i++) {
        self += graph.nodes[i].self;
    }
    CHECK_INT(self, gain + drop);
    CHECK_INT(graph.nodes[0].total, gain + drop);
    CHECK_INT(graph.total, gain - drop);
    struct flame_children children;
    CHECK(flame_children_init(&children, &graph));
    for (uint32_t i = 0; i < graph.node_cnt; i++) {
        int64_t total = graph.nodes[i].self;
        for (uint32_t c = children.begin[i]; c < children.begin[i + 1]; c++) {
            const struct flame_node *child = &graph.nodes[children.children[c]];
            CHECK_UINT(child->parent, i);
            CHECK(c == children.begin[i] ||
                  child->total <= graph.nodes[children.children[c - 1]].total);
            total += child->total;
        }
        CHECK_INT(total, graph.nodes[i].total);
    }
    flame_children_deinit(&children);
    flame_graph_deinit(&graph);
}

TEST(sums_are_exact_in_every_shape)
{
    struct profile *profile = random_profile(rows, ROWS);
    uint32_t registered = (uint32_t)profile_find_dimension(profile, TEXT("registered"));
    uint32_t dimensions[] = {registered, PROFILE_STATUS, PROFILE_TID};
    int64_t gain = 0;
    int64_t drop = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t delta = rows[i].lacks_metric ? 0 : rows[i].delta;
        gain += delta > 0 ? delta : 0;
        drop -= delta < 0 ? delta : 0;
    }
    for (uint32_t cnt = 0; cnt <= 3; cnt++) {
        for (int shape = 0; shape < 4; shape++) {
            struct flame_options options = {
                .weight = DELTA,
                .dimensions = dimensions,
                .dimension_cnt = cnt,
                .view = {.splits_lines = (shape & 1) != 0, .is_reversed = (shape & 2) != 0},
            };
            check_sums(profile, options, gain, drop);
        }
    }
    profile_destroy(profile);
}

// --- path by path, against rows that are added one by one -----------------------------

enum { MAX_PATHS = 4096 };

static struct path_sum {
    char path[256];
    int64_t expected;
    int64_t self;
} paths[MAX_PATHS];
static uint32_t path_cnt;

static struct path_sum *path_sum(const char *path)
{
    for (uint32_t i = 0; i < path_cnt; i++) {
        if (strcmp(paths[i].path, path) == 0) {
            return &paths[i];
        }
    }
    CHECK(path_cnt < MAX_PATHS);
    paths[path_cnt] = (struct path_sum){.expected = 0};
    (void)snprintf(paths[path_cnt].path, sizeof paths[0].path, "%s", path);
    return &paths[path_cnt++];
}

// "/a/b" in either direction, without lines.
static void add_frames(const char *stack, bool is_reversed, char *path, size_t size)
{
    const char *frames[16];
    uint32_t cnt = 0;
    for (const char *at = stack; *at != '\0'; at += strcspn(at, ";"), at += *at == ';') {
        frames[cnt++] = at;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        const char *frame = frames[is_reversed ? cnt - 1 - i : i];
        size_t len = strlen(path);
        (void)snprintf(path + len, size - len, "/%.*s", (int)strcspn(frame, ";@"), frame);
    }
}

static void expect_row(const struct query_row *row, uint32_t dimension_cnt, bool is_reversed)
{
    char path[256] = "";
    char tid[24];
    (void)snprintf(tid, sizeof tid, "%" PRId64, row->tid);
    const char *categories[] = {row->registered, row->status, tid};
    (void)strcat(path, row->delta < 0 ? "/negative" : "/positive");
    for (uint32_t i = 0; i < dimension_cnt; i++) {
        if (categories[i] != NULL) {
            (void)strcat(strcat(path, "/"), categories[i]);
        }
    }
    add_frames(row->stack, is_reversed, path, sizeof path);
    path_sum(path)->expected += row->delta < 0 ? -row->delta : row->delta;
}

static void compare_paths(const struct profile *profile, const struct filter *filter,
                          const struct flame_options *options)
{
    struct selection selection;
    struct flame_graph graph;
    uint64_t row_cnt = 0;
    path_cnt = 0;
    CHECK(selection_init(&selection, profile, NULL, filter, &err));
    CHECK(flame_graph_init(&graph, &selection, options, &err));
    for (uint32_t i = 0; i < ROWS; i++) {
        bool is_in = filter == NULL || strcmp(rows[i].status, "running") != 0;
        row_cnt += is_in && !rows[i].lacks_metric ? 1 : 0;
        if (is_in && !rows[i].lacks_metric) {
            expect_row(&rows[i], options->dimension_cnt, options->view.is_reversed);
        }
    }
    for (uint32_t i = 0; i < graph.node_cnt; i++) {
        char path[256];
        path_of(&graph, i, path, sizeof path);
        if (graph.nodes[i].self != 0) {
            path_sum(path)->self += graph.nodes[i].self;
        }
    }
    for (uint32_t i = 0; i < path_cnt; i++) {
        CHECK_INT(paths[i].self, paths[i].expected);
    }
    CHECK_UINT(graph.row_cnt, row_cnt);
    CHECK_UINT(graph.lacking_cnt, selection.row_cnt - row_cnt);
    flame_graph_deinit(&graph);
    selection_deinit(&selection);
}

TEST(every_path_is_the_sum_of_its_rows)
{
    struct profile *profile = random_profile(rows, ROWS);
    struct filter *filter = filter_create(TEXT("status!=running"), NULL, &err);
    uint32_t registered = (uint32_t)profile_find_dimension(profile, TEXT("registered"));
    uint32_t dimensions[] = {registered, PROFILE_STATUS, PROFILE_TID};
    for (uint32_t cnt = 0; cnt <= 3; cnt++) {
        for (int shape = 0; shape < 4; shape++) {
            struct flame_options options = {
                .weight = DELTA,
                .dimensions = dimensions,
                .dimension_cnt = cnt,
                .view = {.splits_lines = (shape & 1) != 0, .is_reversed = (shape & 2) != 0},
            };
            compare_paths(profile, NULL, &options);
            compare_paths(profile, filter, &options);
        }
    }
    filter_destroy(filter);
    profile_destroy(profile);
}

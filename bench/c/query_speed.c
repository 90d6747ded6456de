// SPDX-License-Identifier: Apache-2.0
// What opening a capture costs, and questions once it is open: heatmaps, flame graphs,
// tables, filters over a synthetic profile of an Erlang node (Zipf-like stacks, random
// walks). CPU time of the one thread, which other programs disturb less than wall time.
//
//   query_speed [SAMPLES [RUNS [PART]]]      3,000,000 samples, 15 runs each, of the
//                                            rows with PART in their name
#include "base/clock.h"
#include "model/profile_builder.h"
#include "query/flame_diff.h"
#include "query/heatmap.h"
#include "query/query_table.h"
#include "query/selection_copy.h"
#include "store/capture_file.h"
#include "store/capture_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROCESSES = 1000, STACKS = 24000, KINDS = 20, METRICS = 8, SECONDS = 60, MAX_RUNS = 99 };

// What is allowed, in milliseconds, of the median.
enum { NO_BAR = 0, OPEN_BAR = 150, HEATMAP_BAR = 10, FLAME_BAR = 30 };

static struct profile *profile;
static int run_cnt = 15;
static int over_cnt; // rows beyond their bar
static const char *part;

static void fail(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "query_speed: %s: %s\n", what, err->detail);
    exit(1);
}

static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// Small numbers are more likely than large ones.
static uint32_t zipf(uint32_t below)
{
    uint32_t limit = 1 + (uint32_t)(random_number() % below);
    return (uint32_t)(random_number() % limit);
}

static void make_stacks(struct profile_dictionary *dictionary, stack_id *stacks)
{
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t depth = 4 + (uint32_t)(random_number() % 20);
        stacks[i] = i == 0 ? 0 : stacks[zipf(i)] * (random_number() % 3 != 0);
        for (uint32_t d = 0; d < depth / (stacks[i] == 0 ? 1 : 4) + 1; d++) {
            char name[64];
            uint32_t function = zipf(3000);
            int len = snprintf(name, sizeof name, "module_%u:function_%u/%u", function % 97,
                               function, function % 4);
            struct profile_frame frame = {
                .name =
                    string_table_intern(dictionary->strings, (struct text){name, (uint32_t)len}),
                .file = string_table_intern(dictionary->strings, TEXT("module.erl")),
                .line = 1 + zipf(5),
                .kind = PROFILE_FRAME_BEAM,
            };
            stacks[i] = profile_dictionary_stack(dictionary, stacks[i],
                                                 profile_dictionary_frame(dictionary, &frame));
        }
    }
}

static void make_dimensions(struct profile_builder *builder, uint32_t registered, uint32_t *names)
{
    for (uint32_t i = 0; i < PROCESSES; i++) {
        char name[32];
        int len = snprintf(name, sizeof name, "server_%u", i % 200);
        names[i] = profile_builder_text(builder, registered, (struct text){name, (uint32_t)len});
    }
}

static void make_profile(uint64_t sample_cnt)
{
    static const char *const STATUS[] = {"waiting", "waiting", "running", "runnable"};
    static stack_id stacks[STACKS];
    static uint32_t names[PROCESSES];
    static int64_t levels[PROCESSES][METRICS];
    struct error err = {0};
    struct profile_builder_options options = {.max_bytes = 8ULL << 30};
    struct profile_builder *builder = profile_builder_create(&options);
    int registered =
        profile_builder_dimension(builder, TEXT("registered"), PROFILE_DIMENSION_TEXT, true);
    make_stacks(&profile_builder_profile(builder)->dictionary, stacks);
    make_dimensions(builder, (uint32_t)registered, names);
    for (int m = 0; m < METRICS; m++) {
        char name[32];
        int len = snprintf(name, sizeof name, "erlang_metric_%d", m);
        (void)profile_builder_metric(builder, (struct text){name, (uint32_t)len}, TEXT("count"));
    }
    for (uint64_t i = 0; i < sample_cnt; i++) {
        uint64_t process = i % PROCESSES;
        uint64_t time_ns = (uint64_t)SECONDS * CLOCK_NS_PER_S * i / sample_cnt;
        // A kind of process has stacks of its own.
        uint64_t kind = process % KINDS;
        stack_id stack = stacks[kind * (STACKS / KINDS) + zipf(STACKS / KINDS)];
        profile_builder_begin_row(builder, time_ns + 1000000007, stack, 20000000);
        profile_builder_set_code(
            builder, PROFILE_STATUS,
            profile_builder_text(builder, PROFILE_STATUS, text_of(STATUS[random_number() % 4])));
        profile_builder_set_code(
            builder, PROFILE_TID,
            profile_builder_number(builder, PROFILE_TID, (int64_t)process + 100));
        profile_builder_set_code(builder, (uint32_t)registered, names[process]);
        for (uint32_t m = 0; m < METRICS; m++) {
            int64_t delta = (int64_t)(random_number() % 20001) - 10000;
            levels[process][m] += delta;
            profile_builder_set_metric(builder, m, levels[process][m], delta);
        }
        profile_builder_end_row(builder);
    }
    profile = profile_builder_finish(builder, &err);
    if (profile == NULL) {
        fail("the profile", &err);
    }
}

// --- figures --------------------------------------------------------------------

static int by_number(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

static void print_row(const char *name, int bar_ms, uint64_t *took_ns)
{
    qsort(took_ns, (size_t)run_cnt, sizeof took_ns[0], by_number);
    double median_ms = (double)took_ns[run_cnt / 2] / 1e6;
    (void)printf("%-52s %8.2f %8.2f", name, median_ms, (double)took_ns[0] / 1e6);
    if (bar_ms != NO_BAR) {
        over_cnt += median_ms > bar_ms;
        (void)printf(" %5d%s", bar_ms, median_ms > bar_ms ? "  over" : "");
    }
    (void)printf("\n");
}

// --- opening --------------------------------------------------------------------

static void write_capture(const char *path)
{
    struct error err = {0};
    struct selection selection;
    struct capture_file *file = capture_file_create(path, &err);
    struct profile_builder_options options = {.batch = capture_file_batch, .batch_context = file};
    struct profile_builder *builder = profile_builder_create(&options);
    bool ok = file != NULL && builder != NULL &&
              selection_init(&selection, profile, NULL, NULL, &err) &&
              selection_copy(&selection, builder, &err) && profile_builder_flush(builder, &err) &&
              capture_file_finish(file, profile_builder_profile(builder), NULL, &err);
    if (!ok) {
        fail("the capture", &err);
    }
    capture_file_destroy(file);
    profile_builder_destroy(builder);
}

static void measure_opening(void)
{
    char directory[] = "/tmp/query_speed.XXXXXX";
    char path[64];
    struct error err = {0};
    struct stat status;
    uint64_t opening_ns[MAX_RUNS];
    uint64_t first_ns[MAX_RUNS];
    if (mkdtemp(directory) == NULL) {
        fail("the capture", &err);
    }
    (void)snprintf(path, sizeof path, "%s/x.fpc", directory);
    write_capture(path);
    for (int i = 0; i < run_cnt; i++) {
        uint64_t began_ns = clock_thread_cpu_ns();
        struct profile *opened = capture_reader_open(path, 0, &err);
        opening_ns[i] = clock_thread_cpu_ns() - began_ns;
        if (opened == NULL || profile_metric_column(opened, 1, PROFILE_VALUE, &err) == NULL) {
            fail("opening", &err);
        }
        first_ns[i] = clock_thread_cpu_ns() - began_ns - opening_ns[i];
        profile_destroy(opened);
    }
    (void)stat(path, &status);
    (void)unlink(path);
    (void)rmdir(directory);
    (void)printf("capture: %.1f bytes a sample\n",
                 (double)status.st_size / (double)profile->row_cnt);
    print_row("a capture opened", OPEN_BAR, opening_ns);
    print_row("a metric's columns when first asked for", NO_BAR, first_ns);
}

// --- questions ------------------------------------------------------------------

static struct weight weight;
static struct flame_options flame;

static bool ask_filter(const struct selection *selection, struct error *err)
{
    (void)err;
    return selection->row_cnt > 0;
}

static bool ask_heatmap(const struct selection *selection, struct error *err)
{
    struct heatmap heatmap;
    struct heatmap_options options = {.weight = weight};
    bool ok = heatmap_init(&heatmap, selection, &options, err);
    heatmap_deinit(&heatmap);
    return ok;
}

static bool ask_flame_graph(const struct selection *selection, struct error *err)
{
    struct flame_graph graph;
    flame.weight = weight;
    bool ok = flame_graph_init(&graph, selection, &flame, err);
    flame_graph_deinit(&graph);
    return ok;
}

static bool ask_functions(const struct selection *selection, struct error *err)
{
    struct query_table table;
    bool ok = query_table_functions(&table, selection, weight, err);
    query_table_deinit(&table);
    return ok;
}

static bool ask_dimension(const struct selection *selection, struct error *err)
{
    struct query_table table;
    bool ok = query_table_dimension(&table, selection, weight, PROFILE_TID, err);
    query_table_deinit(&table);
    return ok;
}

typedef bool (*question)(const struct selection *selection, struct error *err);

static void measure(const char *name, int bar_ms, const char *source, question ask)
{
    uint64_t took_ns[MAX_RUNS];
    struct error err = {0};
    if (part != NULL && strstr(name, part) == NULL) {
        return;
    }
    struct filter *filter = source == NULL ? NULL : filter_create(text_of(source), NULL, &err);
    for (int i = 0; i < run_cnt; i++) {
        struct selection selection;
        uint64_t began_ns = clock_thread_cpu_ns();
        bool ok = selection_init(&selection, profile, NULL, filter, &err) && ask(&selection, &err);
        took_ns[i] = clock_thread_cpu_ns() - began_ns;
        selection_deinit(&selection);
        if (!ok) {
            fail(name, &err);
        }
    }
    filter_destroy(filter);
    print_row(name, bar_ms, took_ns);
}

static const struct {
    const char *name;
    const char *source;
} FILTERS[] = {
    {"", NULL},
    {", status=running", "status=running"},
    {", fn~/function_1/ & metric_3>0", "fn~/function_1/ & erlang_metric_3>0"},
    {", tid=100..600 | !leaf~/_2/ & delta<0",
     "tid=100..600 | !leaf~/_2/ & delta(erlang_metric_4)<0"},
};

enum { FILTER_CNT = sizeof FILTERS / sizeof FILTERS[0] };

static const struct {
    const char *name;
    struct weight weight;
} WEIGHTS[] = {
    {"samples", {WEIGHT_SAMPLES, 0}},        {"period", {WEIGHT_PERIOD, 0}},
    {"a metric's value", {WEIGHT_VALUE, 1}}, {"its delta", {WEIGHT_DELTA, 1}},
    {"its increases", {WEIGHT_INCREASE, 1}}, {"its decreases", {WEIGHT_DECREASE, 1}},
};

static void measure_heatmaps(void)
{
    char name[128];
    for (int f = 0; f < FILTER_CNT; f++) {
        for (size_t i = 0; i < sizeof WEIGHTS / sizeof WEIGHTS[0]; i++) {
            weight = WEIGHTS[i].weight;
            (void)snprintf(name, sizeof name, "heatmap of %s%s", WEIGHTS[i].name, FILTERS[f].name);
            measure(name, HEATMAP_BAR, FILTERS[f].source, ask_heatmap);
        }
        if (FILTERS[f].source != NULL) {
            measure("... the filter alone", NO_BAR, FILTERS[f].source, ask_filter);
        }
    }
}

static void measure_flame_graphs(void)
{
    static uint32_t dimensions[2] = {PROFILE_STATUS};
    dimensions[1] = (uint32_t)profile_find_dimension(profile, TEXT("registered"));
    const struct {
        const char *name;
        int bar_ms;
        struct flame_options options;
    } FORMS[] = {
        {"by function", FLAME_BAR, {.max_nodes = 0}},
        {"by line", FLAME_BAR, {.view = {.splits_lines = true}}},
        {"reversed", FLAME_BAR, {.view = {.is_reversed = true}}},
        {"status as root frames", FLAME_BAR, {.dimensions = dimensions, .dimension_cnt = 1}},
        // 4 and 7 million nodes: to write them alone takes more than the bar.
        {"status, 200 names as root frames",
         NO_BAR,
         {.dimensions = dimensions, .dimension_cnt = 2}},
        {"... the heaviest 5000 nodes",
         FLAME_BAR,
         {.dimensions = dimensions, .dimension_cnt = 2, .max_nodes = 5000}},
    };
    static const struct weight WHOLE[] = {{WEIGHT_PERIOD, 0}, {WEIGHT_DELTA, 1}};
    static const char *const WHOLE_NAMES[] = {"", ", two signs"};
    char name[128];
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        flame = FORMS[i].options;
        for (int w = 0; w < 2; w++) {
            weight = WHOLE[w];
            for (int f = 0; f < 3; f += 2) {
                (void)snprintf(name, sizeof name, "flame graph %s%s%s", FORMS[i].name,
                               WHOLE_NAMES[w], FILTERS[f].name);
                measure(name, FORMS[i].bar_ms, FILTERS[f].source, ask_flame_graph);
            }
        }
    }
    weight = WHOLE[0];
    measure("functions, self and total", NO_BAR, NULL, ask_functions);
    measure("processes", NO_BAR, NULL, ask_dimension);
}

static void print_load(void)
{
    double load[1] = {0};
    (void)getloadavg(load, 1);
    (void)printf("rows over their bar: %d; load average at the end %.1f\n", over_cnt, load[0]);
}

int main(int argc, char **argv)
{
    uint64_t sample_cnt = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000000;
    run_cnt = argc > 2 ? atoi(argv[2]) : run_cnt;
    part = argc > 3 ? argv[3] : NULL;
    if (sample_cnt == 0 || run_cnt < 1 || run_cnt > MAX_RUNS) {
        (void)fprintf(stderr, "usage: query_speed [SAMPLES [RUNS (1..%d) [PART]]]\n", MAX_RUNS);
        return 2;
    }
    make_profile(sample_cnt);
    (void)printf("%llu samples, %u nodes of stacks, %u frames, %u metrics, %.0f MB in memory\n\n",
                 (unsigned long long)profile->row_cnt, profile->dictionary.node_cnt,
                 profile->dictionary.frame_cnt, profile->metric_cnt,
                 (double)profile_memory_bytes(profile) / 1e6);
    (void)printf("%-52s %8s %8s %5s\n", "milliseconds of CPU", "median", "best", "bar");
    if (part == NULL) {
        measure_opening();
    }
    measure_heatmaps();
    measure_flame_graphs();
    print_load();
    profile_destroy(profile);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What each export format costs once a profile is in memory: CPU time, bytes per sample,
// memory beside the profile's. A synthetic profile of an Erlang node, 9 metrics.
//
//   export_speed [SAMPLES [RUNS [FORMAT]]]      300,000 samples, 5 runs each; median
#include "base/clock.h"
#include "export/export_format.h"
#include "model/profile_builder.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROCESSES = 1000, STACKS = 20000, DEPTH = 16, METRICS = 9, MAX_RUNS = 99 };

static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void make_stacks(struct profile_dictionary *dictionary, stack_id *stacks)
{
    for (uint32_t i = 0; i < STACKS; i++) {
        stacks[i] = i < 100 ? 0 : stacks[random_number() % i];
        for (uint32_t d = 0; d < (i < 100 ? DEPTH : 2); d++) {
            char name[64];
            uint32_t function = (uint32_t)(random_number() % 3000);
            int len = snprintf(name, sizeof name, "module_%u:function_%u/%u", function % 97,
                               function, function % 4);
            struct profile_frame frame = {
                .name =
                    string_table_intern(dictionary->strings, (struct text){name, (uint32_t)len}),
                .file = string_table_intern(dictionary->strings, TEXT("module.erl")),
                .line = 1 + (uint32_t)(random_number() % 5),
                .kind = PROFILE_FRAME_BEAM,
            };
            stacks[i] = profile_dictionary_stack(dictionary, stacks[i],
                                                 profile_dictionary_frame(dictionary, &frame));
        }
    }
}

static void add_row(struct profile_builder *builder, const stack_id *stacks, uint64_t i,
                    uint64_t sample_cnt)
{
    static const char *const STATUS[] = {"waiting", "waiting", "running", "runnable"};
    static int64_t levels[PROCESSES][METRICS];
    uint64_t process = i % PROCESSES;
    stack_id stack = stacks[process * (STACKS / PROCESSES) + random_number() % 20];
    profile_builder_begin_row(builder, 1000000007 + 60ULL * CLOCK_NS_PER_S * i / sample_cnt, stack,
                              20000000);
    profile_builder_set_code(
        builder, PROFILE_STATUS,
        profile_builder_text(builder, PROFILE_STATUS, text_of(STATUS[random_number() % 4])));
    profile_builder_set_code(builder, PROFILE_TID,
                             profile_builder_number(builder, PROFILE_TID, (int64_t)process + 100));
    for (uint32_t m = 0; m < METRICS; m++) {
        int64_t delta = (int64_t)(random_number() % 20001) - 10000;
        levels[process][m] += delta;
        profile_builder_set_metric(builder, m, levels[process][m], delta);
    }
    profile_builder_end_row(builder);
}

static struct profile *make_profile(uint64_t sample_cnt)
{
    static stack_id stacks[STACKS];
    struct error err = {0};
    struct profile_builder_options options = {.max_bytes = 8ULL << 30};
    struct profile_builder *builder = profile_builder_create(&options);
    make_stacks(&profile_builder_profile(builder)->dictionary, stacks);
    for (int m = 0; m < METRICS; m++) {
        char name[32];
        int len = snprintf(name, sizeof name, "erlang_metric_%d", m);
        (void)profile_builder_metric(builder, (struct text){name, (uint32_t)len}, TEXT("count"));
    }
    for (uint64_t i = 0; i < sample_cnt; i++) {
        add_row(builder, stacks, i, sample_cnt);
    }
    struct profile *profile = profile_builder_finish(builder, &err);
    if (profile == NULL) {
        (void)fprintf(stderr, "export_speed: %s\n", err.detail);
        exit(1);
    }
    return profile;
}

static uint64_t written_bytes;
static size_t most_bytes;

static bool swallow(void *context, const void *bytes, size_t len, struct error *err)
{
    struct mallinfo2 info = mallinfo2();
    (void)context;
    (void)bytes;
    (void)err;
    written_bytes += len;
    size_t now = info.uordblks + info.hblkhd;
    most_bytes = now > most_bytes ? now : most_bytes;
    return true;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void measure(const struct export_format *format, const struct export_request *request,
                    int run_cnt)
{
    uint64_t runs[MAX_RUNS];
    struct error err = {0};
    struct byte_output output = {swallow, NULL};
    struct mallinfo2 before = mallinfo2();
    most_bytes = 0;
    for (int i = 0; i < run_cnt; i++) {
        written_bytes = 0;
        uint64_t begin = cpu_ns();
        if (!format->write(request, &output, &err)) {
            (void)fprintf(stderr, "export_speed: %s: %s\n", format->name, err.detail);
            exit(1);
        }
        runs[i] = cpu_ns() - begin;
    }
    qsort(runs, (size_t)run_cnt, sizeof runs[0], compare);
    size_t held = before.uordblks + before.hblkhd;
    (void)printf("%-14s %8.1f ms  %8.2f bytes/sample  %8.1f MiB of memory\n", format->name,
                 (double)runs[run_cnt / 2] / 1e6,
                 (double)written_bytes / (double)request->selection->row_cnt,
                 (double)(most_bytes > held ? most_bytes - held : 0) / (1 << 20));
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct selection selection;
    uint32_t dimensions[] = {PROFILE_STATUS};
    uint64_t sample_cnt = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    int run_cnt = argc > 2 ? atoi(argv[2]) : 5;
    struct profile *profile = make_profile(sample_cnt == 0 ? 1 : sample_cnt);
    if (run_cnt < 1 || run_cnt > MAX_RUNS ||
        !selection_init(&selection, profile, NULL, NULL, &err)) {
        (void)fprintf(stderr, "export_speed: wrong arguments\n");
        return 2;
    }
    struct weight weight = weight_default(profile);
    struct export_request request = {
        .selection = &selection,
        .weight = weight,
        .heatmap = {weight, 0, 0},
        .flame = {.weight = weight, .dimensions = dimensions, .dimension_cnt = 1},
    };
    (void)printf("%llu samples, %d metrics, CPU time, median of %d\n",
                 (unsigned long long)sample_cnt, METRICS, run_cnt);
    for (size_t i = 0; export_format_at(i) != NULL; i++) {
        if (argc < 4 || strcmp(argv[3], export_format_at(i)->name) == 0) {
            measure(export_format_at(i), &request, run_cnt);
        }
    }
    selection_deinit(&selection);
    profile_destroy(profile);
    return 0;
}

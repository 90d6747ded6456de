// SPDX-License-Identifier: Apache-2.0
// What writing a page costs, and how large it is:
//
//     html_speed make CAPTURE SAMPLES STACKS SECONDS THREADS
//     html_speed CAPTURE [RUNS]
//
// The first makes a capture of CPU time only: SAMPLES spread over SECONDS, stacks from
// small to large ones the less likely, each by one of THREADS. The second opens a
// capture and writes pages of it to nowhere: with time and stacks only, and with all there is.
// CPU time of the one thread, best of RUNS (5).
#include "base/clock.h"
#include "export/export_format.h"
#include "model/profile_builder.h"
#include "store/capture_file.h"
#include "store/capture_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STACKS = 100000, PERIOD_NS = 10000000, BEGIN_NS = 1000000007, FUNCTIONS = 3000 };

static uint32_t below(uint32_t limit)
{
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * limit >> 32);
}

// Small numbers are more likely than large ones.
static uint32_t zipf(uint32_t limit)
{
    return below(1 + below(limit));
}

static void make_stacks(struct profile_dictionary *dictionary, stack_id *stacks, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        stacks[i] = i == 0 ? 0 : stacks[zipf(i)];
        for (uint32_t depth = 1 + below(8); depth > 0; depth--) {
            char name[64];
            uint32_t function = zipf(FUNCTIONS);
            int len =
                snprintf(name, sizeof name, "module_%u::function_%u", function % 97, function);
            struct profile_frame frame = {
                .name =
                    string_table_intern(dictionary->strings, (struct text){name, (uint32_t)len}),
                .file = string_table_intern(dictionary->strings, TEXT("/usr/lib/libwork.so")),
                .kind = PROFILE_FRAME_NATIVE,
            };
            stacks[i] = profile_dictionary_stack(dictionary, stacks[i],
                                                 profile_dictionary_frame(dictionary, &frame));
        }
    }
}

static bool make(const char *path, uint64_t sample_cnt, uint32_t stack_cnt, uint64_t seconds,
                 uint32_t thread_cnt, struct error *err)
{
    static stack_id stacks[MAX_STACKS];
    uint64_t bytes = 0;
    struct capture_file *file = capture_file_create(path, err);
    struct profile_builder_options options = {.batch = capture_file_batch, .batch_context = file};
    struct profile_builder *builder = profile_builder_create(&options);
    if (file == NULL || builder == NULL) {
        return false;
    }
    make_stacks(&profile_builder_profile(builder)->dictionary, stacks, stack_cnt);
    uint32_t event = profile_builder_text(builder, PROFILE_EVENT, TEXT("cpu-clock"));
    uint32_t comm = profile_builder_text(builder, PROFILE_COMM, TEXT("worker"));
    uint32_t pid = profile_builder_number(builder, PROFILE_PID, 4242);
    for (uint64_t i = 0; i < sample_cnt; i++) {
        uint64_t time_ns = (uint64_t)((double)seconds * 1e9 * (double)i / (double)sample_cnt);
        profile_builder_begin_row(builder, BEGIN_NS + time_ns, stacks[zipf(stack_cnt)], PERIOD_NS);
        profile_builder_set_code(builder, PROFILE_EVENT, event);
        profile_builder_set_code(builder, PROFILE_COMM, comm);
        profile_builder_set_code(builder, PROFILE_PID, pid);
        profile_builder_set_code(
            builder, PROFILE_TID,
            profile_builder_number(builder, PROFILE_TID, 4242 + below(thread_cnt)));
        profile_builder_end_row(builder);
    }
    bool ok = profile_builder_flush(builder, err) &&
              capture_file_finish(file, profile_builder_profile(builder), &bytes, err);
    capture_file_destroy(file);
    profile_builder_destroy(builder);
    return ok;
}

static bool count(void *context, const void *bytes, size_t len, struct error *err)
{
    (void)bytes;
    (void)err;
    *(uint64_t *)context += len;
    return true;
}

static bool measure(const struct profile *profile, const char *what, bool has_categories,
                    int run_cnt, struct error *err)
{
    uint64_t best_ns = UINT64_MAX;
    uint64_t bytes = 0;
    struct selection selection;
    if (!selection_init(&selection, profile, NULL, NULL, err)) {
        return false;
    }
    struct export_request request = {.selection = &selection,
                                     .weight = weight_default(profile),
                                     .has_categories = has_categories};
    bool ok = true;
    for (int i = 0; i < run_cnt && ok; i++) {
        bytes = 0;
        struct byte_output output = {count, &bytes};
        uint64_t began_ns = clock_thread_cpu_ns();
        ok = export_html(&request, &output, err);
        uint64_t took_ns = clock_thread_cpu_ns() - began_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    selection_deinit(&selection);
    printf("%-28s %10" PRIu64 " bytes, %6.3f a sample, %5.0f ms, %5.1f M samples/s\n", what, bytes,
           (double)bytes / (double)profile->row_cnt, (double)best_ns / 1e6,
           (double)profile->row_cnt * 1e3 / (double)best_ns);
    return ok;
}

static bool measure_file(const char *path, int run_cnt, struct error *err)
{
    uint64_t began_ns = clock_thread_cpu_ns();
    struct profile *profile = capture_reader_open(path, 0, err);
    if (profile == NULL) {
        return false;
    }
    printf("%" PRIu64 " samples, %u metrics, opened in %.0f ms\n", profile->row_cnt,
           profile->metric_cnt, (double)(clock_thread_cpu_ns() - began_ns) / 1e6);
    bool ok = measure(profile, "time, stacks, metrics:", true, run_cnt, err) &&
              measure(profile, "with categories:", false, run_cnt, err);
    profile_destroy(profile);
    return ok;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    bool ok = false;
    if (argc == 7 && strcmp(argv[1], "make") == 0 && strtoul(argv[4], NULL, 10) <= MAX_STACKS) {
        ok = make(argv[2], strtoull(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10),
                  strtoull(argv[5], NULL, 10), (uint32_t)strtoul(argv[6], NULL, 10), &err);
    } else if (argc == 2 || argc == 3) {
        ok = measure_file(argv[1], argc == 3 ? atoi(argv[2]) : 5, &err);
    } else {
        fprintf(stderr, "usage: html_speed make CAPTURE SAMPLES STACKS SECONDS THREADS\n"
                        "       html_speed CAPTURE [RUNS]\n");
        return 2;
    }
    if (!ok) {
        fprintf(stderr, "html_speed: %s\n", err.detail);
    }
    return ok ? 0 : 1;
}

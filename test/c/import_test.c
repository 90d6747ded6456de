// SPDX-License-Identifier: Apache-2.0
// What other programs print becomes a profile: every shape that people have, with
// right sums, categories out of the stacks, and what cannot be read counted.
#include "import/import.h"

#include "test.h"

#include <zlib.h>
#include <zstd.h>

static struct profile *of_text(const char *text)
{
    struct error err = {0};
    struct profile_builder *builder = profile_builder_create(NULL);
    if (!import_bytes(builder, text, strlen(text), NULL, &err)) {
        TEST_FAIL("%s", err.detail);
    }
    return profile_builder_finish(builder, NULL);
}

static const char *code(const struct profile *profile, const char *dimension, uint64_t row)
{
    static char texts[4][64];
    static int next;
    char digits[PROFILE_DIGITS_BYTES];
    int found = profile_find_dimension(profile, text_of(dimension));
    if (found == PROFILE_NONE) {
        return "no such dimension";
    }
    struct text text = profile_code_text(profile, (uint32_t)found,
                                         profile_code(profile, (uint32_t)found, row), digits);
    next = (next + 1) % 4;
    (void)snprintf(texts[next], sizeof texts[next], "%.*s", (int)text.len, text.bytes);
    return texts[next];
}

// root;...;leaf
static const char *stack(const struct profile *profile, uint64_t row)
{
    static char text[1024];
    size_t at = sizeof text - 1;
    text[at] = '\0';
    for (stack_id node = profile->stack[row]; node != 0;
         node = profile->dictionary.nodes[node].parent) {
        const struct profile_frame *frame =
            &profile->dictionary.frames[profile->dictionary.nodes[node].frame];
        struct text name = profile_text(profile, frame->name);
        char part[256];
        int len = frame->line > 0 ? snprintf(part, sizeof part, "%.*s:%u", (int)name.len,
                                             name.bytes, frame->line)
                                  : snprintf(part, sizeof part, "%.*s", (int)name.len, name.bytes);
        // Leaf first: each one goes to the end of what is there.
        char whole[1024];
        (void)snprintf(whole, sizeof whole, "%.*s%s%s", len, part, text[at] == '\0' ? "" : ";",
                       text + at);
        at = sizeof text - 1 - strlen(whole);
        memcpy(text + at, whole, strlen(whole));
    }
    return text + at;
}

// The names come leaf first from the nodes; root first reads as people do.
TEST(ours_with_categories_out_of_the_stack)
{
    struct profile *profile =
        of_text("# flame_prof: 0.1.0\n"
                "# clock_anchor_monotonic_ns: 1000000000\n"
                "# clock_anchor_unix_ns: 5000000000\n"
                "waiting 4242/151 [003] 2.500000: metric_erlang_reductions: 981150, -4\t"
                "metric_erlang_memory: 5, 6\tperiod: 99000000 beam-wall:\n"
                "\t7f1c lists:\xEF\xBC\x8B\xEF\xBC\x8B/2;1559 (lists.erl)\n"
                "\t7f1d gen_server:loop/7 (gen_server.erl)\n"
                "\t0 {registered my server} (process)\n"
                "\t0 {my_server:init/1} (my_server.erl)\n"
                "\n"
                "running 4242/152 [003] 2.600000: metric_erlang_reductions: 1, 1\t"
                "metric_erlang_memory: 1, 1\tperiod: 1000000 beam-wall:\n"
                "\n"
                "# end: complete\n"
                "# loss ring_full: 3\n");
    CHECK_UINT(profile->row_cnt, 2);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    CHECK_UINT(profile->stats.line_cnt, 13);
    CHECK_STR(stack(profile, 0), "gen_server:loop/7;lists:++/2:1559");
    CHECK_STR(stack(profile, 1), "");
    CHECK_STR(code(profile, "status", 0), "waiting");
    CHECK_STR(code(profile, "comm", 0), "");
    CHECK_STR(code(profile, "event", 0), "beam-wall");
    CHECK_STR(code(profile, "pid", 0), "4242");
    CHECK_STR(code(profile, "tid", 1), "152");
    CHECK_STR(code(profile, "cpu", 0), "3");
    CHECK_STR(code(profile, "registered", 0), "my server");
    CHECK_STR(code(profile, "registered", 1), "");
    CHECK_STR(code(profile, "initial_call", 0), "my_server:init/1");
    // The first of them is the outermost.
    CHECK(profile_find_dimension(profile, TEXT("initial_call")) <
          profile_find_dimension(profile, TEXT("registered")));
    CHECK_INT(profile_column_at(&profile->metrics[0].columns[PROFILE_DELTA], 0), -4);
    CHECK_INT(profile_column_at(&profile->period, 0), 99000000);
    CHECK(!profile->sources[0].is_incomplete);
    CHECK(text_equal(profile_fact(profile, 0, TEXT("loss ring_full")), TEXT("3")));
    CHECK_UINT(profile_unix_ns(profile, profile->time_ns[0]), 6500000000);
    profile_destroy(profile);
}

TEST(the_flame_prof_of_2021)
{
    struct profile *profile =
        of_text("running\t0.151.0 [000] 1334.519344: cpu-clock:\tmetric_erlang_reductions: 9, 1\n"
                "\tffffffff erlang:put/2 (erlang.erl)\n"
                "\tffffffff gen_server:loop/7;871 (gen_server.erl)\n"
                "\tffffffff (wl:init/1) (wl.erl)\n");
    CHECK_UINT(profile->row_cnt, 1);
    CHECK_STR(stack(profile, 0), "gen_server:loop/7:871;erlang:put/2");
    CHECK_STR(code(profile, "initial_call", 0), "wl:init/1");
    CHECK_STR(code(profile, "status", 0), "running");
    CHECK_STR(code(profile, "tid", 0), "151");
    CHECK_STR(code(profile, "pid", 0), "");
    CHECK_UINT(profile->time_ns[0], 1334519344000);
    profile_destroy(profile);
}

TEST(perf_script_with_call_chains)
{
    struct profile *profile = of_text(
        "# ========\n# captured on    : Tue\n# hostname : h\n#\n"
        "kworker/0:1-ev 12/13 [001] 10.000001:   10101010 cpu-clock:pppH: \r\n"
        "\tffffffff8104f45a native_write_msr+0x4 ([kernel.kallsyms])\r\n"
        "\t    55d7a1 std::map<int, std::pair<a, b> >::operator()(int) const+0x1f (/usr/bin/a b "
        "(deleted))\r\n"
        "\t    55d7a1 inner (inlined)\r\n"
        "\t         0 [unknown] ([unknown])\r\n"
        "\r\n"
        "Web Content 99 [000] 9.5: sched:sched_switch: prev_comm=a ==> next_comm=b 12: x\r\n"
        "\tffffffff81 __schedule+0x1 ([kernel.kallsyms])\r\n");
    CHECK_UINT(profile->row_cnt, 2);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    CHECK_UINT(profile->stats.unsorted_cnt, 1);
    CHECK_STR(code(profile, "comm", 0), "Web Content");
    CHECK_STR(code(profile, "event", 0), "sched:sched_switch");
    CHECK_STR(code(profile, "tid", 0), "99");
    CHECK_STR(code(profile, "comm", 1), "kworker/0:1-ev");
    CHECK_STR(code(profile, "event", 1), "cpu-clock:pppH");
    CHECK_STR(code(profile, "pid", 1), "12");
    CHECK_STR(stack(profile, 1), "[unknown];inner;std::map<int, std::pair<a, b> "
                                 ">::operator()(int) const;native_write_msr");
    CHECK_INT(profile_column_at(&profile->period, 1), 10101010);
    profile_destroy(profile);
}

TEST(perf_script_without_call_chains)
{
    struct profile *profile = of_text(
        "         swapper     0 [000] 1.5:          1 cycles:  ffffffff81 native_write_msr+0x4 "
        "([kernel.kallsyms])\n"
        "              dd 42/43 [001] 2.5:          7 cycles:           5581 main+0x1 (/bin/dd)\n"
        "              dd 42/43 [001] 3.5:          7 cycles: \n"
        "\t   ffffffff81 _raw_spin_lock\n"
        "\t   ffffffff82\n"
        "              dd 42/43 [001] 4.5:          7 cycles:           5581 main+0x1 (/bin/dd)\n");
    CHECK_UINT(profile->row_cnt, 4);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    CHECK_STR(stack(profile, 0), "native_write_msr");
    CHECK_STR(code(profile, "comm", 0), "swapper");
    CHECK_STR(stack(profile, 1), "main");
    CHECK_STR(stack(profile, 2), "[unknown];_raw_spin_lock");
    CHECK_STR(stack(profile, 3), "main");
    profile_destroy(profile);
}

TEST(fields_that_are_left_out)
{
    struct profile *profile = of_text("a b [002] 1.5: cycles:\n\tffff x (y)\n\n"
                                      "a b 2.5: cycles:\n\tffff x (y)\n\n"
                                      "comm 7 3.5: \n\tffff x (y)\n\n"
                                      "4.5: cycles:\n\tffff x (y)\n\n");
    CHECK_UINT(profile->row_cnt, 4);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    CHECK_STR(code(profile, "comm", 0), "a b");
    CHECK_STR(code(profile, "cpu", 0), "2");
    CHECK_STR(code(profile, "tid", 0), "");
    CHECK_STR(code(profile, "comm", 1), "a b");
    CHECK_STR(code(profile, "event", 1), "cycles");
    CHECK_STR(code(profile, "event", 2), "");
    CHECK_STR(code(profile, "comm", 3), "");
    CHECK_STR(stack(profile, 3), "x");
    profile_destroy(profile);
}

TEST(a_metric_that_is_missing_is_known_to_be)
{
    struct profile *profile = of_text("a 1 [000] 1.1: x:\tmetric_m: 5, 1\tmetric_n: 7, 1\n\n"
                                      "a 1 [000] 1.2: x:\tmetric_n: 8, 1\n\n"
                                      "a 1 [000] 1.3: x:\tmetric_m: 6, 1\tmetric_k: -1, -1\n\n");
    CHECK_UINT(profile->metric_cnt, 3);
    CHECK(profile_metric_present(&profile->metrics[0], 0));
    CHECK(!profile_metric_present(&profile->metrics[0], 1));
    CHECK_INT(profile_column_at(&profile->metrics[0].columns[PROFILE_VALUE], 1), 0);
    CHECK_INT(profile_column_at(&profile->metrics[1].columns[PROFILE_VALUE], 1), 8);
    CHECK_INT(profile_column_at(&profile->metrics[2].columns[PROFILE_VALUE], 2), -1);
    CHECK_UINT(profile->metrics[2].present_cnt, 1);
    profile_destroy(profile);
}

TEST(what_cannot_be_read_is_counted_and_shown)
{
    struct profile *profile = of_text("a 1 [000] 1.1: x:\n\tffff f (g)\n\tnonsense\n\n"
                                      "\tffff orphan (g)\n"
                                      "no event at all\n"
                                      "a 1 [000] 1.1: x:\tmetric_m: five, 1\n\n"
                                      "a 1 [000] 1.2: x:\n\tffff f (g)\n\tnonsense\n\n");
    CHECK_UINT(profile->row_cnt, 2);
    CHECK_UINT(profile->stats.malformed_cnt, 5);
    CHECK_STR(profile->stats.malformed, " nonsense");
    CHECK_UINT(profile->stats.malformed_line, 3);
    CHECK_STR(stack(profile, 1), "f");
    profile_destroy(profile);
}

TEST(two_files_of_ours_in_a_row_are_two_sources)
{
    struct profile *profile = of_text("# flame_prof: 1\na 1 [000] 1.1: x:\n\n# end: complete\n"
                                      "# flame_prof: 1\na 1 [000] 2.1: x:\n\n");
    CHECK_UINT(profile->source_cnt, 2);
    CHECK(!profile->sources[0].is_incomplete);
    CHECK(profile->sources[1].is_incomplete);
    CHECK_STR(code(profile, "source", 1), "1");
    profile_destroy(profile);
}

static int64_t value(const struct profile *profile, const char *metric, uint64_t row)
{
    int found = profile_find_metric(profile, text_of(metric));
    return found == PROFILE_NONE
               ? -1
               : profile_column_at(&profile->metrics[found].columns[PROFILE_VALUE], row);
}

TEST(folded_stacks)
{
    struct profile *profile = of_text("beam.smp;m:f/1;do_read_[k] 15\n"
                                      "beam.smp;m:f/1;std::map<a, b>::at(int const&) 2.5\n"
                                      "java;Foo.bar_[j];inner_[i] 7\n"
                                      "nonsense\n");
    CHECK_UINT(profile->row_cnt, 3);
    CHECK_UINT(profile->stats.malformed_cnt, 1);
    CHECK_INT(value(profile, "samples", 0), 15);
    CHECK_INT(value(profile, "samples", 1), 3);
    CHECK_STR(stack(profile, 0), "beam.smp;m:f/1;do_read");
    CHECK_INT(profile->dictionary.frames[profile->dictionary.nodes[profile->stack[0]].frame].kind,
              PROFILE_FRAME_KERNEL);
    CHECK_STR(stack(profile, 1), "beam.smp;m:f/1;std::map<a, b>::at(int const&)");
    CHECK_STR(stack(profile, 2), "java;Foo.bar;inner");
    CHECK(!profile->metrics[0].has_delta);
    profile_destroy(profile);
}

TEST(differential_folded_stacks)
{
    struct profile *profile = of_text("a;b 1 3\na;c 0 4\n");
    CHECK_INT(value(profile, "before", 0), 1);
    CHECK_INT(value(profile, "samples", 1), 4);
    CHECK_STR(stack(profile, 1), "a;c");
    profile_destroy(profile);
}

TEST(what_bpftrace_prints)
{
    struct profile *profile = of_text("Attaching 1 probe...\n^C\n\n"
                                      "@[\n    finish_task_switch+12\n    schedule+4\n\n"
                                      "    main+0x1f\n, bash]: 15\n"
                                      "@stacks[123, dd,\n    read+1\n]: 2\n"
                                      "@[awk]: 9\n");
    CHECK_UINT(profile->row_cnt, 3);
    CHECK_STR(stack(profile, 0), "main;schedule;finish_task_switch");
    CHECK_STR(code(profile, "comm", 0), "bash");
    CHECK_INT(value(profile, "samples", 0), 15);
    CHECK_STR(stack(profile, 1), "read");
    CHECK_STR(code(profile, "comm", 2), "awk");
    CHECK_INT(value(profile, "samples", 2), 9);
    profile_destroy(profile);
}

TEST(what_bcc_prints)
{
    struct profile *profile =
        of_text("Sampling at 49 Hertz of all threads by user + kernel stack... Hit Ctrl-C.\n\n"
                "    b'finish_task_switch'\n    schedule\n    --\n    [unknown]\n"
                "    -                b'Web Content' (1234)\n        5\n\n"
                "    read\n    -                dd (7)\n        2\n");
    CHECK_UINT(profile->row_cnt, 2);
    CHECK_STR(stack(profile, 0), "[unknown];schedule;finish_task_switch");
    CHECK_STR(code(profile, "comm", 0), "Web Content");
    CHECK_STR(code(profile, "pid", 0), "1234");
    CHECK_INT(value(profile, "samples", 0), 5);
    CHECK_STR(code(profile, "pid", 1), "7");
    profile_destroy(profile);
}

// Longer than the window several times over, with the same few stacks.
TEST(a_long_input_has_the_same_sums)
{
    size_t capacity = 24 << 20;
    char *text = malloc(capacity);
    size_t len = 0;
    int64_t sum = 0;
    int64_t cnt = 0;
    while (len < capacity - 4096) {
        int64_t value = cnt * 7919 % 100003;
        len += (size_t)sprintf(text + len, "a %d/%d [000] %d.%06d: metric_x: %d, 1\t1 e:\n",
                               (int)(cnt % 9), (int)(cnt % 50), (int)(cnt / 1000),
                               (int)(cnt % 1000), (int)value);
        for (int64_t i = 0; i < cnt % 30; i++) {
            len += (size_t)sprintf(text + len, "\t%x frame_%d+0x%x (/lib/libx.so)\n",
                                   4096 + (int)(cnt % 7), (int)i, (int)(cnt % 7));
        }
        text[len++] = '\n';
        sum += value;
        cnt++;
    }
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(import_bytes(builder, text, len, NULL, NULL));
    struct profile *profile = profile_builder_finish(builder, NULL);
    free(text);
    CHECK_UINT(profile->row_cnt, cnt);
    CHECK_UINT(profile->stats.malformed_cnt, 0);
    CHECK_UINT(profile->stats.byte_cnt, len);
    CHECK_UINT(profile->dictionary.frame_cnt, 30);
    CHECK_UINT(profile->dictionary.node_cnt, 29 * 30 / 2 + 1);
    for (int64_t i = 0; i < cnt; i++) {
        sum -= profile_column_at(&profile->metrics[0].columns[PROFILE_VALUE], (uint64_t)i);
    }
    CHECK_INT(sum, 0);
    profile_destroy(profile);
}

// --- compressed files, which a thread decompresses ahead ---------------------------

enum { EVENTS = 40000 };

static size_t many_events(char *text)
{
    size_t len = 0;
    for (int i = 0; i < EVENTS; i++) {
        len += (size_t)sprintf(text + len, "a %d/%d [000] %d.%06d: 1 e:\n\t10 f_%d (x)\n\n", i % 9,
                               i % 50, i / 1000, i % 1000, i % 700);
    }
    return len;
}

static void put_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, len, file) == len);
    (void)fclose(file);
}

// The rows that come of it, and why there are no more.
static uint64_t rows_of(const char *path, struct error *err)
{
    *err = (struct error){0};
    struct profile_builder *builder = profile_builder_create(NULL);
    bool ok = import_file(builder, path, NULL, err);
    CHECK_INT(ok, err->code == ERROR_NONE);
    struct profile *profile = profile_builder_finish(builder, NULL);
    uint64_t cnt = profile->row_cnt;
    profile_destroy(profile);
    return cnt;
}

TEST(zstd_of_several_frames_and_cut)
{
    char path[256];
    struct error err;
    char *text = malloc((size_t)EVENTS * 80);
    size_t len = many_events(text);
    size_t capacity = ZSTD_compressBound(len) * 2;
    char *packed = malloc(capacity);
    size_t packed_len = ZSTD_compress(packed, capacity, text, len / 2, 1);
    packed_len +=
        ZSTD_compress(packed + packed_len, capacity - packed_len, text + len / 2, len - len / 2, 3);
    (void)snprintf(path, sizeof path, "%s/x.zst", test_dir());
    put_file(path, packed, packed_len);
    CHECK_UINT(rows_of(path, &err), EVENTS);
    put_file(path, packed, packed_len - 10);
    uint64_t cut = rows_of(path, &err);
    CHECK(cut > EVENTS / 2 && cut <= EVENTS);
    CHECK_HAS(err.detail, "ends early");
    packed[packed_len - 60] ^= 0x55;
    put_file(path, packed, packed_len);
    CHECK(rows_of(path, &err) <= EVENTS);
    free(packed);
    free(text);
}

TEST(gzip_and_cut)
{
    char path[256];
    char raw[1 << 16];
    struct error err;
    char *text = malloc((size_t)EVENTS * 80);
    size_t len = many_events(text);
    (void)snprintf(path, sizeof path, "%s/x.gz", test_dir());
    gzFile file = gzopen(path, "wb1");
    CHECK_UINT(gzwrite(file, text, (unsigned)len), len);
    CHECK_INT(gzclose(file), Z_OK);
    CHECK_UINT(rows_of(path, &err), EVENTS);
    FILE *whole = fopen(path, "rb");
    size_t raw_len = fread(raw, 1, sizeof raw, whole);
    (void)fclose(whole);
    put_file(path, raw, raw_len / 2);
    CHECK(rows_of(path, &err) > 100);
    CHECK_HAS(err.detail, "ends early");
    free(text);
}

TEST(a_reader_that_stops_leaves_no_thread)
{
    char path[256];
    struct error err = {0};
    char *text = malloc(8 << 20);
    memset(text, 'x', 8 << 20); // no format: given up at the first window
    char *packed = malloc(1 << 20);
    size_t packed_len = ZSTD_compress(packed, 1 << 20, text, 8 << 20, 1);
    (void)snprintf(path, sizeof path, "%s/none.zst", test_dir());
    put_file(path, packed, packed_len);
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(!import_file(builder, path, NULL, &err));
    CHECK_HAS(err.detail, "of no format");
    profile_builder_destroy(builder);
    free(packed);
    free(text);
}

TEST(what_is_no_profile_is_refused)
{
    struct error err = {0};
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(!import_bytes(builder, "hello\nworld\n", 12, NULL, &err));
    CHECK_HAS(err.detail, "of no format");
    CHECK(!import_bytes(builder, "", 0, NULL, &err));
    CHECK(!import_file(builder, "/nonexistent/x.perf", NULL, &err));
    CHECK_HAS(err.detail, "/nonexistent/x.perf");
    profile_builder_destroy(builder);
}

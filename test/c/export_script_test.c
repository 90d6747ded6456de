// SPDX-License-Identifier: Apache-2.0
// perf-script text from a profile, read back, is the profile.
#include "base/byte_buffer.h"
#include "export/export_format.h"
#include "import/import.h"

#include "query_profile.h"

static struct error err;

static bool append(void *context, const void *bytes, size_t len, struct error *error)
{
    (void)error;
    return byte_buffer_append(context, bytes, len);
}

static struct profile *import(const char *bytes, size_t len)
{
    struct profile_builder *builder = profile_builder_create(NULL);
    if (!import_bytes(builder, bytes, len, NULL, &err)) {
        TEST_FAIL("%s", err.detail);
    }
    return profile_builder_finish(builder, NULL);
}

static void export_to(const struct profile *profile, struct byte_buffer *written)
{
    struct selection selection;
    struct byte_output output = {append, written};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    struct export_request request = {.selection = &selection};
    byte_buffer_init(written, 1 << 20);
    CHECK(export_perf_script(&request, &output, &err));
    CHECK(byte_buffer_append_char(written, '\0'));
    written->len--;
}

static void check_text(struct text a, struct text b)
{
    if (!text_equal(a, b)) {
        TEST_FAIL("%.*s became %.*s", (int)a.len, a.bytes, (int)b.len, b.bytes);
    }
}

static void check_stacks(const struct profile *a, const struct profile *b, uint64_t row)
{
    stack_id left = a->stack[row];
    stack_id right = b->stack[row];
    while (left != 0 && right != 0) {
        const struct profile_frame *one = &a->dictionary.frames[a->dictionary.nodes[left].frame];
        const struct profile_frame *other = &b->dictionary.frames[b->dictionary.nodes[right].frame];
        check_text(profile_text(a, one->name), profile_text(b, other->name));
        check_text(profile_text(a, one->file), profile_text(b, other->file));
        CHECK_UINT(one->line, other->line);
        left = a->dictionary.nodes[left].parent;
        right = b->dictionary.nodes[right].parent;
    }
    CHECK_UINT(left, right);
}

static void check_codes(const struct profile *a, const struct profile *b, uint64_t row)
{
    char digits[2][PROFILE_DIGITS_BYTES];
    CHECK_UINT(a->dimension_cnt, b->dimension_cnt);
    for (uint32_t d = PROFILE_EVENT; d < a->dimension_cnt; d++) {
        check_text(profile_text(a, a->dimensions[d].name), profile_text(b, b->dimensions[d].name));
        check_text(profile_code_text(a, d, profile_code(a, d, row), digits[0]),
                   profile_code_text(b, d, profile_code(b, d, row), digits[1]));
    }
}

static void check_metrics(const struct profile *a, const struct profile *b, uint64_t row)
{
    CHECK_UINT(a->metric_cnt, b->metric_cnt);
    for (uint32_t m = 0; m < a->metric_cnt; m++) {
        check_text(profile_text(a, a->metrics[m].name), profile_text(b, b->metrics[m].name));
        check_text(profile_text(a, a->metrics[m].unit), profile_text(b, b->metrics[m].unit));
        CHECK(a->metrics[m].has_delta == b->metrics[m].has_delta);
        CHECK(profile_metric_present(&a->metrics[m], row) ==
              profile_metric_present(&b->metrics[m], row));
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            CHECK(profile_column_at(&a->metrics[m].columns[form], row) ==
                  profile_column_at(&b->metrics[m].columns[form], row));
        }
    }
}

static void check_facts(const struct profile *a, const struct profile *b)
{
    CHECK_UINT(a->sources[0].fact_cnt, b->sources[0].fact_cnt);
    for (uint32_t f = 0; f < a->sources[0].fact_cnt; f++) {
        check_text(profile_text(a, a->sources[0].facts[f].value),
                   profile_text(b, b->sources[0].facts[f].value));
    }
}

static void check_same(const char *input)
{
    struct byte_buffer written;
    struct byte_buffer again;
    struct profile *profile = import(input, strlen(input));
    export_to(profile, &written);
    struct profile *back = import(written.bytes, written.len);
    CHECK_UINT(back->stats.malformed_cnt, 0);
    CHECK_UINT(profile->row_cnt, back->row_cnt);
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        CHECK_UINT(profile->time_ns[row], back->time_ns[row]);
        CHECK(profile_column_at(&profile->period, row) == profile_column_at(&back->period, row));
        check_stacks(profile, back, row);
        check_codes(profile, back, row);
        check_metrics(profile, back, row);
    }
    check_facts(profile, back);
    export_to(back, &again);
    CHECK_STR(written.bytes, again.bytes);
    byte_buffer_deinit(&written);
    byte_buffer_deinit(&again);
    profile_destroy(profile);
    profile_destroy(back);
}

TEST(ours_is_the_same_byte_for_byte)
{
    static const char OURS[] =
        "# ========\n"
        "# flame_prof: 0.1.0\n"
        "# hostname: a＋b\n"
        "# clock_anchor_monotonic_ns: 1000000000\n"
        "# clock_anchor_unix_ns: 5000000000\n"
        "waiting 4242/151 [003] 2.500000: metric_erlang_reductions: 981150, -4\t"
        "metric_erlang_memory: -9223372036854775808, 9223372036854775807\t"
        "period: 99000000 beam-wall:\n"
        "\t7f1c lists:＋＋/2;1559 (lists.erl)\n"
        "\t7f1d gen_server:loop/7 (gen_server.erl)\n"
        "\t0 {registered my server} (process)\n"
        "\t0 {my_server:init/1} (my_server.erl)\n"
        "\n"
        "running 4242/152 [103] 2.600001: metric_erlang_reductions: 1, 1\t"
        "metric_erlang_memory: 1, 1\tperiod: 0 beam-wall:\n"
        "\n"
        "# end: complete\n"
        "# loss ring_full: 3\n";
    struct byte_buffer written;
    struct profile *profile = import(OURS, sizeof OURS - 1);
    export_to(profile, &written);
    CHECK_STR(written.bytes, OURS);
    byte_buffer_deinit(&written);
    profile_destroy(profile);
    check_same(OURS);
}

TEST(what_perf_prints_comes_back)
{
    check_same("# cmdline : /usr/bin/perf record -F 99 -g\n"
               "swapper     0/0     [001]  9.000000001:     250000 cycles:ppp: \n"
               "\tffffffff810 native_safe_halt+0x6 ([kernel.kallsyms])\n"
               "\t7f00 std::vector<int, std::allocator<int> >::at(unsigned long) const (/opt/a b/x "
               "(deleted))\n"
               "\t7f00 (anonymous namespace)::f(int) (/usr/lib/libstdc++.so.6)\n"
               "\t7f01 [unknown] ([unknown])\n"
               "\n"
               "java worker  77 10.5:  1 sched:sched_switch: \n"
               "\t7f01 a;3;4 (x)\n"
               "\n");
}

TEST(what_has_no_times_and_no_deltas_comes_back)
{
    check_same("main;a b;c 12\nmain;a b 3\n");
    check_same("main;a;b 12 7\nmain;a 3 4\n");
}

TEST(a_part_says_that_it_is_one)
{
    struct byte_buffer written;
    struct selection selection;
    struct byte_output output = {append, &written};
    struct profile *profile = small_profile();
    struct selection_range range = {0, 20 * (uint64_t)QUERY_MS};
    CHECK(selection_init(&selection, profile, &range, NULL, &err));
    struct export_request request = {.selection = &selection};
    byte_buffer_init(&written, 1 << 20);
    CHECK(export_perf_script(&request, &output, &err));
    CHECK(byte_buffer_append_char(&written, '\0'));
    CHECK_HAS(written.bytes, "running 7 10.005000: metric_erlang_memory: 100, 4\tperiod: 10 ");
    CHECK(strstr(written.bytes, "12.000001") == NULL);
    byte_buffer_deinit(&written);
    selection_deinit(&selection);
    profile_destroy(profile);
}

TEST(the_last_sample_is_on_no_full_second)
{
    struct byte_buffer written;
    struct profile *profile = small_profile();
    export_to(profile, &written);
    CHECK_HAS(written.bytes, "gc 9 12.000001: ");
    byte_buffer_deinit(&written);
    profile_destroy(profile);
}

// SPDX-License-Identifier: Apache-2.0
// A profile is what was put in, row by row, sorted by time, however narrow its
// columns are; what a limit refuses is counted.
#include "model/profile_builder.h"

#include "test.h"

static struct profile_builder *begin(void)
{
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(builder != NULL);
    return builder;
}

static void row(struct profile_builder *builder, uint64_t time_ns, int metric, int64_t value)
{
    profile_builder_begin_row(builder, time_ns, 0, 10);
    profile_builder_set_code(builder, PROFILE_TID,
                             profile_builder_number(builder, PROFILE_TID, value % 7));
    if (metric != PROFILE_NONE) {
        profile_builder_set_metric(builder, (uint32_t)metric, value, -value);
    }
    profile_builder_end_row(builder);
}

TEST(columns_widen_as_their_numbers_do)
{
    static const int64_t VALUES[] = {5, 5, -100, 300, -70000, 1LL << 40, INT64_MIN, INT64_MAX};
    struct profile_column column = {0};
    CHECK(profile_column_append_same(&column, 5, 2));
    CHECK_INT(column.width, 0);
    for (uint32_t i = 2; i < 8; i++) {
        CHECK(profile_column_append(&column, &VALUES[i], 1));
        for (uint32_t k = 0; k <= i; k++) {
            CHECK_INT(profile_column_at(&column, k), VALUES[k]);
        }
    }
    int64_t read[8];
    profile_column_read(&column, 0, 8, read);
    CHECK_MEM(read, VALUES, sizeof VALUES);
    CHECK_INT(column.min, INT64_MIN);
    CHECK_INT(column.max, INT64_MAX);
    profile_column_deinit(&column);
}

TEST(rows_come_out_sorted_with_everything_they_have)
{
    struct profile_builder *builder = begin();
    int metric = PROFILE_NONE;
    for (int64_t i = 0; i < 5000; i++) { // 0, 2500, 1, 2501...: the metric from 1000 on
        metric =
            i == 1000 ? profile_builder_metric(builder, TEXT("erlang_memory"), TEXT("")) : metric;
        int64_t at = i % 2 * 2500 + i / 2;
        row(builder, (uint64_t)at, i % 3 == 0 ? metric : PROFILE_NONE, at);
    }
    struct profile *profile = profile_builder_finish(builder, NULL);
    CHECK_UINT(profile->row_cnt, 5000);
    CHECK_UINT(profile->stats.unsorted_cnt, 2499);
    const struct profile_metric *of = &profile->metrics[0];
    const struct profile_column *delta = profile_metric_column(profile, 0, PROFILE_DELTA, NULL);
    CHECK_INT(delta->width, 2);
    for (int64_t at = 0; at < 5000; at++) {
        int64_t i = at < 2500 ? at * 2 : (at - 2500) * 2 + 1;
        bool has = i >= 1000 && i % 3 == 0;
        CHECK_UINT(profile->time_ns[at], at);
        CHECK_INT(profile_metric_present(of, (uint64_t)at), has);
        CHECK_INT(profile_column_at(delta, (uint64_t)at), has ? -at : 0);
        uint32_t code = profile_code(profile, PROFILE_TID, (uint64_t)at);
        CHECK_INT(profile->dimensions[PROFILE_TID].values[code], at % 7);
    }
    CHECK_UINT(of->present_cnt, 1333);
    CHECK(text_equal(profile_text(profile, of->unit), TEXT("bytes")));
    CHECK_UINT(profile_row_at(profile, 17), 17);
    CHECK_UINT(profile_row_at(profile, 5000), 5000);
    profile_destroy(profile);
}

TEST(equal_stacks_are_one_and_parents_come_first)
{
    struct profile_builder *builder = begin();
    struct profile_dictionary *names = &profile_builder_profile(builder)->dictionary;
    struct profile_frame frame = {.name = profile_builder_string(builder, TEXT("lists:map/2")),
                                  .file = profile_builder_string(builder, TEXT("lists.erl")),
                                  .line = 7,
                                  .address = 1};
    frame_id first = profile_dictionary_frame(names, &frame);
    frame.address = 2;
    CHECK_UINT(profile_dictionary_frame(names, &frame), first);
    CHECK_INT(names->frames[first].kind, PROFILE_FRAME_BEAM);
    frame.line = 8;
    frame_id second = profile_dictionary_frame(names, &frame);
    CHECK(second != first);
    stack_id low = profile_dictionary_stack(names, 0, first);
    stack_id high = profile_dictionary_stack(names, low, second);
    CHECK_UINT(profile_dictionary_stack(names, low, second), high);
    CHECK_UINT(names->nodes[high].parent, low);
    CHECK(low < high);
    profile_builder_destroy(builder);
}

static bool sum_batch(void *context, struct profile *batch, struct error *err)
{
    int64_t *sums = context;
    (void)err;
    for (uint64_t i = 0; i < batch->row_cnt; i++) {
        sums[0]++;
        sums[1] += profile_column_at(&batch->metrics[0].columns[PROFILE_VALUE], i);
    }
    sums[2]++;
    return sums[2] < 4;
}

TEST(a_stream_hands_over_batches_and_forgets_them)
{
    int64_t sums[3] = {0};
    struct error err = {0};
    struct profile_builder_options options = {
        .batch = sum_batch, .batch_context = sums, .batch_rows = 2048};
    struct profile_builder *builder = profile_builder_create(&options);
    int metric = profile_builder_metric(builder, TEXT("x"), TEXT(""));
    for (int64_t i = 0; i < 5000; i++) {
        row(builder, (uint64_t)i, metric, i);
    }
    CHECK(profile_builder_flush(builder, &err));
    CHECK_INT(sums[0], 5000);
    CHECK_INT(sums[1], 5000LL * 4999 / 2);
    CHECK_INT(sums[2], 3);
    row(builder, 1, metric, 1);
    CHECK(!profile_builder_flush(builder, &err)); // the fourth batch failed
    row(builder, 1, metric, 1);
    CHECK(!profile_builder_flush(builder, &err));
    CHECK_UINT(profile_builder_profile(builder)->stats.refused_cnt, 1);
    profile_builder_destroy(builder);
}

TEST(what_is_too_much_is_counted)
{
    struct profile_builder_options options = {.max_bytes = 1 << 20};
    struct profile_builder *builder = profile_builder_create(&options);
    int metric = profile_builder_metric(builder, TEXT("x"), TEXT(""));
    for (int64_t i = 0; i < 100000; i++) {
        row(builder, (uint64_t)(100000 - i), metric, i * 1000000);
    }
    struct profile *profile = profile_builder_finish(builder, NULL);
    CHECK(profile->row_cnt > 1024);
    CHECK_UINT(profile->row_cnt + profile->stats.refused_cnt, 100000);
    CHECK_UINT(profile->metrics[0].columns[PROFILE_VALUE].cnt, profile->row_cnt);
    profile_destroy(profile);
}

TEST(facts_belong_to_their_source)
{
    struct profile_builder *builder = begin();
    profile_builder_fact(builder, TEXT("flame_prof"), TEXT("1"));
    profile_builder_fact(builder, TEXT("clock_anchor_monotonic_ns"), TEXT("100"));
    profile_builder_fact(builder, TEXT("clock_anchor_unix_ns"), TEXT("1000"));
    row(builder, 1, PROFILE_NONE, 0);
    profile_builder_fact(builder, TEXT("end"), TEXT("complete"));
    CHECK_UINT(profile_builder_source(builder, TEXT("a")), 0);
    CHECK_UINT(profile_builder_source(builder, TEXT("b")), 1);
    profile_builder_fact(builder, TEXT("flame_prof"), TEXT("1"));
    row(builder, 2, PROFILE_NONE, 0);
    struct profile *profile = profile_builder_finish(builder, NULL);
    CHECK(!profile->sources[0].is_incomplete);
    CHECK(profile->sources[1].is_incomplete);
    CHECK(profile->sources[0].facts[3].is_footer);
    CHECK(text_equal(profile_fact(profile, 0, TEXT("end")), TEXT("complete")));
    CHECK_UINT(profile_unix_ns(profile, 101), 1001);
    CHECK_UINT(profile_code(profile, PROFILE_SOURCE, 1), 2);
    profile_destroy(profile);
}

// SPDX-License-Identifier: Apache-2.0
// The report on a profile whose sums are known.
#include "export/report.h"

#include "base/byte_buffer.h"
#include "query/event_selection.h"
#include "query/tid_label.h"

#include "query_profile.h"

static struct error err;
static struct byte_buffer written;

static bool append(void *context, const void *bytes, size_t len, struct error *error)
{
    (void)error;
    return byte_buffer_append(context, bytes, len);
}

static const struct byte_output OUTPUT = {append, &written};

static const char *report_of(struct profile *profile, const struct report_options *options)
{
    struct selection selection;
    byte_buffer_deinit(&written);
    byte_buffer_init(&written, 1 << 20);
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(report_write(&selection, options, &OUTPUT, &err));
    profile_destroy(profile);
    CHECK(byte_buffer_append_char(&written, '\0'));
    return written.bytes;
}

TEST(shares_are_those_of_the_period)
{
    struct report_options options = {.max_rows = 10, .width = 80};
    const char *text = report_of(small_profile(), &options);
    CHECK_HAS(text, "samples: 5 samples of 3 processes or threads in 2.0 s\n");
    CHECK_HAS(text, "status     running 72.7 %  waiting 18.2 %  gc 9.1 %\n");
    CHECK_HAS(text,
              "FUNCTION, by period\n   36.4 %    72.7 %  a\n   36.4 %    36.4 %  lists:map/2\n");
    CHECK_HAS(text, "    9.1 %     9.1 %  [no stack]\n");
    CHECK_HAS(text, "   45.5 %         9  \n   36.4 %         7  shop\n");
}

TEST(a_metric_is_weighed_with_its_sign)
{
    struct report_options options = {true, {WEIGHT_DELTA, 0}, 10, 80};
    const char *text = report_of(small_profile(), &options);
    CHECK_HAS(text, "by erlang_memory_delta\n  -70.4 %   -70.4 %  [no stack]\n");
    CHECK_HAS(text, "   19.7 %         7  shop\n");
    CHECK_HAS(text, "1 samples do not have this metric\n");
}

TEST(long_tables_say_what_is_left)
{
    struct report_options options = {.max_rows = 1, .width = 80};
    CHECK_HAS(report_of(small_profile(), &options), "... 2 more\n");
}

// Two engines in one profile: nothing of one is in the section of the other.
static struct profile *two_events(void)
{
    struct profile_builder *builder = profile_builder_create(NULL);
    struct profile *profile = profile_builder_profile(builder);
    int metric = profile_builder_metric(builder, TEXT("erlang_reductions"), TEXT("count"));
    (void)profile_builder_source(builder, TEXT("one.perf"));
    for (uint64_t i = 0; i < 4; i++) {
        bool is_wall = i < 3;
        uint32_t dimension = is_wall ? PROFILE_STATUS : PROFILE_STATE;
        profile_builder_begin_row(builder, (i + 1) * QUERY_S,
                                  query_stack(profile, is_wall ? "wall" : "cpu"), 10);
        profile_builder_set_code(builder, PROFILE_EVENT,
                                 profile_builder_text(builder, PROFILE_EVENT,
                                                      text_of(is_wall ? "beam-wall" : "beam-cpu")));
        profile_builder_set_code(
            builder, dimension,
            profile_builder_text(builder, dimension, text_of(is_wall ? "waiting" : "emulator")));
        profile_builder_set_code(builder, PROFILE_TID,
                                 profile_builder_number(builder, PROFILE_TID, is_wall ? 7 : 0));
        profile_builder_set_metric(builder, (uint32_t)metric, 100, is_wall ? 5 : -5);
        profile_builder_end_row(builder);
    }
    return profile_builder_finish(builder, &err);
}

TEST(each_event_has_its_section)
{
    struct report_options options = {.max_rows = 10, .width = 80};
    const char *text = report_of(two_events(), &options);
    CHECK_HAS(text, "beam-wall: 3 samples of 1 processes in 2.0 s\n");
    CHECK_HAS(text, "status     waiting 100.0 %\n");
    CHECK_HAS(text, "by erlang_reductions_inc\n  100.0 %   100.0 %  wall\n\n");
    CHECK_HAS(text, "beam-cpu: 1 samples of 1 processes or threads in 0.0 s\n");
    CHECK_HAS(text, "state      emulator 100.0 %\n");
    CHECK_HAS(text, "by period\n  100.0 %   100.0 %  cpu\n\n");
    CHECK_HAS(text, "  100.0 %         -  no process\n");
}

TEST(events_are_told_apart_and_names_found)
{
    struct profile *profile = small_profile();
    struct selection all;
    struct selection event;
    struct tid_labels labels;
    char digits[PROFILE_DIGITS_BYTES];
    CHECK(selection_init(&all, profile, NULL, NULL, &err));
    CHECK(event_selection_init(&event, &all, 0, &err));
    CHECK_UINT(event.row_cnt, 5);
    selection_deinit(&event);
    CHECK(event_selection_init(&event, &all, 1, &err));
    CHECK_UINT(event.row_cnt, 0);
    selection_deinit(&event);
    CHECK(tid_labels_init(&labels, &all, &err));
    uint32_t code = profile_code(profile, PROFILE_TID, 0);
    CHECK(text_equal(tid_labels_text(&labels, code, digits), TEXT("shop")));
    code = profile_code(profile, PROFILE_TID, 1);
    CHECK_UINT(tid_labels_text(&labels, code, digits).len, 0);
    tid_labels_deinit(&labels);
    profile_destroy(profile);
}

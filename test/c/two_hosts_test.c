// SPDX-License-Identifier: Apache-2.0
// Recordings of several hosts come onto one time axis.
#include "import/import.h"

#include "test.h"

// Two hosts: the second one's clock began 100 s before, 5 s apart on the wall.
static const char FIRST[] = "# flame_prof: 1\n"
                            "# clock_anchor_monotonic_ns: 1000000000000\n"
                            "# clock_anchor_unix_ns: 1700000000000000000\n"
                            "waiting 1/2 [000] 1001.5: metric_erlang_x: 5, 1\tperiod: 3 e:\n"
                            "\tff a:f/1 (a.erl)\n\t0 {registered r} (process)\n\n"
                            "waiting 1/2 [000] 1003.5: metric_erlang_x: 7, 2\tperiod: 3 e:\n"
                            "\tff b:f/1 (b.erl)\n\tff a:f/1 (a.erl)\n\n"
                            "# end: complete\n";
static const char SECOND[] = "# flame_prof: 1\n"
                             "# clock_anchor_monotonic_ns: 1100000000000\n"
                             "# clock_anchor_unix_ns: 1700000005000000000\n"
                             "dd 1/2 [000] 1097.0: metric_y: 9, 4\tperiod: 3 c:\n"
                             "\tff a:f/1 (a.erl)\n\n";

static int64_t value(const struct profile *profile, const char *metric, uint64_t row)
{
    int found = profile_find_metric(profile, text_of(metric));
    CHECK(found != PROFILE_NONE);
    return profile_column_at(&profile->metrics[found].columns[PROFILE_VALUE], row);
}

static void check_merged(const struct profile *merged)
{
    CHECK_UINT(merged->row_cnt, 3);
    CHECK_UINT(merged->source_cnt, 2);
    CHECK_UINT(merged->time_ns[0], 1001500000000); // 1.5 s behind the first anchor
    CHECK_UINT(merged->time_ns[1], 1002000000000); // 5 s - 3 s
    CHECK_UINT(merged->time_ns[2], 1003500000000);
    CHECK_INT(value(merged, "erlang_x", 0), 5);
    CHECK_INT(value(merged, "y", 1), 9);
    CHECK(!profile_metric_present(&merged->metrics[0], 1));
    CHECK_UINT(merged->dimensions[PROFILE_SOURCE].values[profile_code(merged, PROFILE_SOURCE, 1)],
               1);
    CHECK(!merged->sources[0].is_incomplete);
    CHECK(merged->sources[1].is_incomplete);
    CHECK_UINT(profile_unix_ns(merged, merged->time_ns[1]), 1700000002000000000);
    CHECK_UINT(merged->dictionary.frame_cnt, 3);
}

TEST(texts_of_two_hosts_are_on_one_axis)
{
    struct profile_builder *builder = profile_builder_create(NULL);
    CHECK(import_bytes(builder, FIRST, strlen(FIRST), NULL, NULL));
    CHECK(import_bytes(builder, SECOND, strlen(SECOND), NULL, NULL));
    struct profile *merged = profile_builder_finish(builder, NULL);
    check_merged(merged);
    profile_destroy(merged);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/top_options.h"

#include "command_words.h"
#include "test.h"

static struct top_options options;
static struct error err;

static bool parse(const char *line)
{
    static struct command_words words;
    command_words_split(&words, (char[]){"top"}, line);
    return top_options_parse(&options, words.argc, words.argv, &err);
}

TEST(a_file_is_enough)
{
    CHECK(parse("x.perf"));
    CHECK_INT(options.weight, TOP_WEIGHT_PERIOD);
    CHECK(options.shows[TOP_KEY_FUNCTION]);
    CHECK(options.shows[TOP_KEY_PROCESS]);
    CHECK(options.shows[TOP_KEY_CATEGORY]);
    CHECK(!options.shows[TOP_KEY_THREAD]);
    CHECK_UINT(options.max_rows, 20);
    CHECK_INT(options.file_cnt, 1);
    CHECK_STR(options.files[0], "x.perf");
}

TEST(metric_and_delta)
{
    CHECK(parse("--metric metric_erlang_memory x.perf"));
    CHECK_STR(options.metric, "erlang_memory");
    CHECK_INT(options.weight, TOP_WEIGHT_METRIC_VALUE);
    CHECK(parse("x.perf --delta -m erlang_memory y.perf"));
    CHECK_INT(options.weight, TOP_WEIGHT_METRIC_DELTA);
    CHECK_INT(options.file_cnt, 2);
}

TEST(one_table_only)
{
    CHECK(parse("--by thread -n 3 -c running -"));
    CHECK(options.shows[TOP_KEY_THREAD]);
    CHECK(!options.shows[TOP_KEY_FUNCTION]);
    CHECK_UINT(options.max_rows, 3);
    CHECK_STR(options.category, "running");
    CHECK_STR(options.files[0], "-");
}

TEST(a_part_as_json)
{
    CHECK(parse("x.fpc"));
    CHECK_UINT(options.range.from_ns, 0);
    CHECK(options.range.to_ns == UINT64_MAX);
    CHECK(!options.is_json);
    CHECK(parse("--from 2.5 --to 1min --json x.fpc"));
    CHECK_UINT(options.range.from_ns, 2500000000);
    CHECK_UINT(options.range.to_ns, 60000000000);
    CHECK(options.is_json);
    CHECK(!parse("--from soon x.fpc"));
    CHECK_HAS(err.detail, "--from soon");
    CHECK(!parse("--from 3 --to 2 x.fpc"));
}

TEST(wrong_options_say_what_was_expected)
{
    CHECK(!parse(""));
    CHECK_HAS(err.detail, "which file");
    CHECK(!parse("--delta x.perf"));
    CHECK_HAS(err.detail, "--metric");
    CHECK(!parse("--by colour x.perf"));
    CHECK_HAS(err.detail, "category");
    CHECK(!parse("-n 0 x.perf"));
    CHECK(!parse("--wrong x.perf"));
    CHECK(parse("--help"));
    CHECK_INT(options.action, TOP_ACTION_HELP);
}

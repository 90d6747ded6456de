// SPDX-License-Identifier: Apache-2.0
#include "cli/view_options.h"

#include "command_words.h"
#include "test.h"

static struct view_options options;
static struct error err;

static bool parse(enum view_command command, const char *line)
{
    static struct command_words words;
    command_words_split(&words, (char[]){"view"}, line);
    return view_options_parse(&options, command, words.argc, words.argv, &err);
}

TEST(times_are_seconds_or_have_a_unit)
{
    CHECK(parse(VIEW_HEATMAP, "--from 2.5 --to 3min --column 200ms x.perf"));
    CHECK_UINT(options.range.from_ns, 2500000000);
    CHECK_UINT(options.range.to_ns, 180000000000);
    CHECK_UINT(options.column_ns, 200000000);
    CHECK_STR(options.files[0], "x.perf");
    CHECK(!parse(VIEW_HEATMAP, "--from soon x.perf"));
    CHECK_HAS(err.detail, "--from soon");
    CHECK(!parse(VIEW_HEATMAP, "--from -1 x.perf"));
    CHECK(!parse(VIEW_HEATMAP, "--from 5 --to 5 x.perf"));
    CHECK_HAS(err.detail, "behind --from");
}

TEST(defaults)
{
    CHECK(parse(VIEW_FLAMEGRAPH, "-"));
    CHECK(options.metric == NULL && options.filter == NULL && options.categories == NULL);
    CHECK_UINT(options.range.to_ns, UINT64_MAX);
    CHECK_UINT(options.depth, 48);
    CHECK_STR(options.colours, "auto");
    CHECK(!options.is_json);
}

TEST(each_command_has_its_own)
{
    CHECK(parse(VIEW_DIFF, "--before 0..10 --after 20.5.. -n 5 --norm total x y"));
    CHECK(options.has_before && options.has_after);
    CHECK_UINT(options.before.to_ns, 10000000000);
    CHECK_UINT(options.after.from_ns, 20500000000);
    CHECK_UINT(options.after.to_ns, UINT64_MAX);
    CHECK_UINT(options.max_rows, 5);
    CHECK_STR(options.norm, "total");
    CHECK_INT(options.file_cnt, 2);
    CHECK(!parse(VIEW_HEATMAP, "--before 0..10 x"));
    CHECK(!parse(VIEW_DIFF, "--before 10..0 x"));
    CHECK(!parse(VIEW_DIFF, "--norm size x"));
    CHECK_HAS(err.detail, "time, total, none");
    CHECK(parse(VIEW_EXPORT, "--format csv -o - -r --lines -c a,b --max-nodes 7 x"));
    CHECK_STR(options.output, "-");
    CHECK(options.is_reversed && options.splits_lines);
    CHECK_STR(options.categories, "a,b");
    CHECK_UINT(options.max_nodes, 7);
}

TEST(wrong_ones_are_told)
{
    CHECK(!parse(VIEW_HEATMAP, ""));
    CHECK_HAS(err.detail, "which file");
    CHECK(!parse(VIEW_HEATMAP, "--rows 0 x"));
    CHECK(!parse(VIEW_HEATMAP, "--color pink x"));
    CHECK_HAS(err.detail, "auto, never, 256, true");
    CHECK(!parse(VIEW_HEATMAP, "--wrong x"));
    CHECK(parse(VIEW_HEATMAP, "--help"));
    CHECK(options.wants_help);
}

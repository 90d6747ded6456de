// SPDX-License-Identifier: Apache-2.0
// What export/ writes of answers whose content is known.
#include "base/byte_buffer.h"
#include "export/export_format.h"
#include "export/terminal.h"

#include "query_profile.h"

static struct error err;
static struct byte_buffer written;

static bool append(void *context, const void *bytes, size_t len, struct error *error)
{
    (void)error;
    return byte_buffer_append(context, bytes, len);
}

static const struct byte_output OUTPUT = {append, &written};

static void begin(void)
{
    byte_buffer_deinit(&written);
    byte_buffer_init(&written, 1 << 20);
}

static const char *text(void)
{
    CHECK(byte_buffer_append_char(&written, '\0'));
    return written.bytes;
}

static const char *export_as(const char *format, struct weight weight, bool has_weight)
{
    struct profile *profile = small_profile();
    struct selection selection;
    uint32_t dimensions[] = {PROFILE_STATUS};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    struct export_request request = {
        .selection = &selection,
        .has_weight = has_weight,
        .weight = weight,
        .heatmap = {weight, 2, 0},
        .flame = {.weight = weight, .dimensions = dimensions, .dimension_cnt = 1},
    };
    begin();
    CHECK(export_format_find(format)->write(&request, &OUTPUT, &err));
    profile_destroy(profile);
    return text();
}

TEST(heatmaps_as_flamescope_has_them)
{
    CHECK_STR(export_as("heatmap", (struct weight){WEIGHT_DELTA, 0}, true),
              "{\"erlang_memory_delta\":{\"rows\":[500,0],\"columns\":[0,1,2],"
              "\"values\":[[null,7],[null,null],[null,-50]],\"minvalue\":-50,\"maxvalue\":7}}\n");
    const char *all = export_as("heatmap", (struct weight){WEIGHT_SAMPLES, 0}, false);
    CHECK_HAS(all, "{\"samples\":{");
    CHECK_HAS(all, ",\"erlang_memory\":{");
    CHECK_HAS(all, ",\"erlang_memory_delta\":{");
}

TEST(flame_graphs_as_flamescope_has_them)
{
    CHECK_STR(
        export_as("flamegraph", (struct weight){WEIGHT_SAMPLES, 0}, true),
        "{\"n\":\"root\",\"l\":\"\",\"v\":0,\"c\":[{\"n\":\"positive\",\"l\":\"\",\"v\":0,\"c\":["
        "{\"n\":\"running\",\"l\":\"\",\"v\":0,\"c\":[{\"n\":\"init\",\"l\":\"user\",\"v\":0,\"c\":"
        "["
        "{\"n\":\"a\",\"l\":\"user\",\"v\":0,\"c\":["
        "{\"n\":\"lists:map/2\",\"l\":\"user\",\"v\":2,\"c\":[]},"
        "{\"n\":\"a\",\"l\":\"user\",\"v\":1,\"c\":[]}]}]}]},"
        "{\"n\":\"waiting\",\"l\":\"\",\"v\":0,\"c\":[{\"n\":\"init\",\"l\":\"user\",\"v\":0,\"c\":"
        "["
        "{\"n\":\"b\",\"l\":\"user\",\"v\":1,\"c\":[]}]}]},"
        "{\"n\":\"gc\",\"l\":\"\",\"v\":1,\"c\":[]}]},"
        "{\"n\":\"negative\",\"l\":\"\",\"v\":0,\"c\":[]}]}\n");
}

TEST(folded_stacks)
{
    CHECK_STR(export_as("folded", (struct weight){WEIGHT_PERIOD, 0}, true),
              "running;init;a;lists:map/2 20\n"
              "running;init;a;a 20\n"
              "waiting;init;b 10\n"
              "gc 5\n");
    CHECK_HAS(export_as("folded", (struct weight){WEIGHT_DELTA, 0}, true), "negative;gc 50\n");
}

TEST(csv_leaves_out_what_is_not_there)
{
    const char *csv = export_as("csv", (struct weight){WEIGHT_PERIOD, 0}, true);
    CHECK_HAS(csv, "time_ns,period,leaf,");
    CHECK_HAS(csv, ",erlang_memory,erlang_memory_delta\n10005000000,10,lists:map/2,");
    CHECK_HAS(csv, "11999000000,20,a,");
    CHECK_HAS(csv, ",running,9,,,\n");
}

TEST(formats_are_found_by_name_and_suffix)
{
    CHECK(export_format_find("nothing") == NULL);
    CHECK_STR(export_format_of_path("a/b.folded")->name, "folded");
    CHECK_STR(export_format_of_path("x.heatmap.json")->name, "heatmap");
    CHECK(export_format_of_path("folded") == NULL);
    CHECK(export_format_at(0) != NULL);
    CHECK(export_format_at(1000) == NULL);
}

TEST(json_strings_are_valid_whatever_the_bytes)
{
    static struct text_output output;
    begin();
    text_output_init(&output, &OUTPUT, &err);
    text_output_json(&output, TEXT("a\"\\\n\x01 \xc3\xa9 \xff \xed\xa0\x80"));
    CHECK(text_output_finish(&output));
    CHECK_STR(text(), "\"a\\\"\\\\\\u000a\\u0001 \xc3\xa9 \\ufffd \\ufffd\\ufffd\\ufffd\"");
}

TEST(numbers_of_all_sizes)
{
    static struct text_output output;
    begin();
    text_output_init(&output, &OUTPUT, &err);
    text_output_i64(&output, INT64_MIN);
    text_output_char(&output, ' ');
    text_output_u64(&output, UINT64_MAX);
    text_output_char(&output, ' ');
    text_output_i64(&output, 0);
    CHECK(text_output_finish(&output));
    CHECK_STR(text(), "-9223372036854775808 18446744073709551615 0");
}

static const char *draw_heatmap(enum terminal_colours colours)
{
    struct profile *profile = small_profile();
    struct selection selection;
    struct heatmap heatmap;
    struct heatmap_options options = {{WEIGHT_DELTA, 0}, 2, 0};
    struct terminal terminal = {colours, 40, 0};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(heatmap_init(&heatmap, &selection, &options, &err));
    begin();
    CHECK(terminal_heatmap(&heatmap, "erlang_memory_delta", &terminal, &OUTPUT, &err));
    heatmap_deinit(&heatmap);
    profile_destroy(profile);
    return text();
}

TEST(heatmap_without_colours)
{
    // Column 0: 7, of 50 at most; column 1: nothing; column 2: -50.
    CHECK_STR(draw_heatmap(TERMINAL_COLOURS_NONE),
              "   500    \n"
              "     0 █ #\n"
              "     s 0\n"
              "erlang_memory_delta: -43 in all; a cell is 500 ms, -50 to 7; blank: no sample\n");
}

TEST(heatmap_with_colours)
{
    CHECK_HAS(draw_heatmap(TERMINAL_COLOURS_TRUE), "\033[38;2;5;113;176m▄\033[0m\n");
    CHECK_HAS(draw_heatmap(TERMINAL_COLOURS_256), "\033[38;5;");
}

TEST(flame_graph_on_a_terminal)
{
    struct profile *profile = small_profile();
    struct selection selection;
    struct flame_graph graph;
    struct flame_options options = {.weight = {WEIGHT_PERIOD, 0}};
    struct terminal terminal = {TERMINAL_COLOURS_NONE, 55, 0};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(flame_graph_init(&graph, &selection, &options, &err));
    begin();
    CHECK(terminal_flamegraph(&graph, "period", &terminal, &OUTPUT, &err));
    CHECK_STR(text(), "|all___________________________________________________\n"
                      "|init_____________________________________________\n"
                      "|a______________________________________|b________\n"
                      "|lists:map/2________|a__________________\n"
                      "period: 55 in all, 5 samples, 6 places\n");
    terminal.depth = 2;
    begin();
    CHECK(terminal_flamegraph(&graph, "period", &terminal, &OUTPUT, &err));
    CHECK_HAS(text(), "... deeper");
    flame_graph_deinit(&graph);
    profile_destroy(profile);
}

TEST(names_cannot_steer_the_terminal)
{
    static struct text_output output;
    begin();
    text_output_init(&output, &OUTPUT, &err);
    CHECK_UINT(text_output_cells(&output, TEXT("a\033[31m\x07\xc2\x9b\xff z"), 100), 11);
    CHECK(text_output_finish(&output));
    CHECK_STR(text(), "a?[31m??? z");
}

TEST(colours_of_the_ends)
{
    CHECK_UINT(palette_unsigned(0).blue, 76);
    CHECK_UINT(palette_unsigned(1).red, 255);
    CHECK_UINT(palette_unsigned(7).red, 255);
    CHECK_UINT(palette_signed(0).green, 247);
    CHECK_UINT(palette_signed(-1).blue, 176);
    CHECK_UINT(palette_signed(1).red, 230);
    CHECK_UINT(palette_256((struct colour){0, 0, 0}), 16);
    CHECK_UINT(palette_256((struct colour){255, 255, 255}), 231);
    CHECK_UINT(palette_256((struct colour){128, 128, 128}), 244);
    CHECK(palette_is_light((struct colour){255, 234, 70}));
    CHECK(!palette_is_light((struct colour){0, 32, 76}));
}

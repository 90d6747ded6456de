// SPDX-License-Identifier: Apache-2.0
// The perf map and the ranges of what is loaded.
#include "record/beam/code_export.h"

#include "fake_code.h"

#define BASE 0x7F0000000000ULL

static struct code_map *map;
static struct byte_buffer text;

static void add(uint64_t number, uint64_t base, const char *first, const char *second)
{
    static struct fake_symfile file;
    fake_symfile_begin(&file, base, 0x1000, "m");
    fake_symfile_range(&file, 0x80, 0x1000, second, 0);
    fake_symfile_range(&file, 0x40, 0x80, first, 0);
    struct code_key key = {0x10000 + number * 32, 0x900000 + number * 4096, file.len};
    CHECK(code_map_add(map, &key, file.bytes));
}

static void begin(void)
{
    map = code_map_create(1 << 20);
    CHECK(map != NULL);
    byte_buffer_init(&text, 1 << 16);
    code_map_begin(map, 0);
}

static void end(void)
{
    code_map_destroy(map);
    byte_buffer_deinit(&text);
}

static const char *written(void)
{
    (void)byte_buffer_append_char(&text, '\0');
    return text.bytes;
}

TEST(a_line_for_each_function_by_address)
{
    uint32_t cnt = 0;
    begin();
    add(1, BASE + 0x2000, "lists:map/2", "'Elixir.My.Mod':'-run/0-fun-0-'/1");
    add(2, BASE, "'a b':'c\nd'/1", "global::stub");
    code_map_end(map);
    CHECK(code_export_perf_map(map, &text, &cnt));
    CHECK_UINT(cnt, 4);
    CHECK_STR(written(), "7f0000000040 40 a_b:c_d/1\n"
                         "7f0000000080 f80 global::stub\n"
                         "7f0000002040 40 lists:map/2\n"
                         "7f0000002080 f80 My.Mod.run/0-fn-0/1\n");
    end();
}

TEST(replaced_code_is_not_in_it)
{
    uint32_t cnt = 0;
    begin();
    add(1, BASE, "m:old/0", "m:old/1");
    code_map_end(map);
    code_map_begin(map, 1);
    add(2, BASE, "m:new/0", "m:new/1");
    code_map_end(map);
    CHECK(code_export_perf_map(map, &text, &cnt));
    CHECK_STR(written(), "7f0000000040 40 m:new/0\n7f0000000080 f80 m:new/1\n");
    end();
}

TEST(at_the_limit_lines_stay_whole)
{
    uint32_t cnt = 0;
    begin();
    add(1, BASE, "m:one/0", "m:two/0");
    code_map_end(map);
    byte_buffer_init(&text, 40);
    CHECK(!code_export_perf_map(map, &text, &cnt));
    CHECK_UINT(cnt, 1);
    CHECK_UINT(text.len, strlen("7f0000000040 40 m:one/0\n"));
    end();
}

TEST(ranges_cover_neighbours_together)
{
    struct code_range ranges[3];
    begin();
    add(1, BASE, "a:f/0", "a:g/0");
    add(2, BASE + 0x1000 + CODE_EXPORT_GAP_BYTES, "b:f/0", "b:g/0");
    add(3, BASE + 0x1000000, "c:f/0", "c:g/0");
    add(4, BASE + 0x2000000, "d:f/0", "d:g/0");
    code_map_end(map);
    CHECK_UINT(code_export_ranges(map, ranges, 3), 3);
    CHECK_UINT(ranges[0].start, BASE);
    CHECK_UINT(ranges[0].end, BASE + 0x2000 + CODE_EXPORT_GAP_BYTES);
    CHECK_UINT(ranges[1].start, BASE + 0x1000000);
    CHECK_UINT(ranges[1].end, BASE + 0x1001000);
    CHECK_UINT(ranges[2].end, BASE + 0x2001000);
    CHECK_UINT(code_export_ranges(map, ranges, 2), 2);
    CHECK_UINT(ranges[1].end, BASE + 0x2001000);
    CHECK_UINT(code_export_ranges(map, ranges, 0), 0);
    end();
}

// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/perf_map.h"

#include "test.h"

#include <fcntl.h>
#include <unistd.h>

static struct perf_map map = {.fd = -1};
static char path[128];

static void append(const char *text)
{
    FILE *file = fopen(path, "a");
    CHECK(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void begin(const char *text)
{
    (void)snprintf(path, sizeof path, "%s/perf.map", test_dir());
    (void)unlink(path);
    append(text);
    perf_map_close(&map);
    perf_map_open(&map, open(path, O_RDONLY | O_CLOEXEC), 1 << 20);
}

static const char *name_at(uint64_t address)
{
    static char copy[128];
    struct text name;
    if (!perf_map_find(&map, address, &name)) {
        return "-";
    }
    (void)snprintf(copy, sizeof copy, "%.*s", (int)name.len, name.bytes);
    return copy;
}

TEST(lines_become_names)
{
    begin("7f0010 20 lists:map/2\n0x7f0040 0x10 with blanks in it\n");
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x7f0010), "lists:map/2");
    CHECK_STR(name_at(0x7f002f), "lists:map/2");
    CHECK_STR(name_at(0x7f0030), "-");
    CHECK_STR(name_at(0x7f0041), "with blanks in it");
    CHECK(!perf_map_update(&map));
}

// As it writes them itself with +JPperf true.
TEST(the_erlang_vm_s_names_read_as_elsewhere)
{
    begin("1000 10 $lists:map/2-CodeInfoPrologue\n2000 10 $'Elixir.My.Mod':'ok?'/1\n"
          "3000 10 $global::call\n4000 10 $java\n");
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x1000), "lists:map/2");
    CHECK_STR(name_at(0x2000), "My.Mod.ok?/1");
    CHECK_STR(name_at(0x3000), "global::call");
    CHECK_STR(name_at(0x4000), "$java");
}

TEST(what_is_appended_is_read_and_takes_over)
{
    begin("1000 10 old\n");
    CHECK(perf_map_update(&map));
    append("1000 20 new\n2000 10 more");
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x1015), "new");
    CHECK_STR(name_at(0x2000), "-"); // not a whole line yet
    append(" of it\n");
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x2000), "more of it");
}

TEST(a_shorter_file_is_read_anew)
{
    begin("1000 10 old_and_long\n");
    CHECK(perf_map_update(&map));
    CHECK_INT(truncate(path, 0), 0);
    append("3000 10 new\n");
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x1000), "-");
    CHECK_STR(name_at(0x3000), "new");
}

TEST(a_deleted_file_is_still_read)
{
    begin("1000 10 a\n");
    CHECK_INT(unlink(path), 0);
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x1000), "a");
}

TEST(malformed_lines_are_counted)
{
    begin("\nx\n1000\n1000 \n1000 zz name\n1000 0 empty\n1000 10 \n"
          "11111111111111111 10 too_long\n1000 10 good\n");
    CHECK(perf_map_update(&map));
    CHECK_UINT(map.malformed_cnt, 8);
    CHECK_STR(name_at(0x1000), "good");
}

TEST(a_line_longer_than_any_buffer_is_skipped)
{
    begin("1000 10 before\n2000 10 ");
    FILE *file = fopen(path, "a");
    CHECK(file != NULL);
    for (int i = 0; i < 300000; i++) {
        (void)fputc('x', file);
    }
    (void)fputs("\n3000 10 behind\n", file);
    (void)fclose(file);
    CHECK(perf_map_update(&map));
    CHECK_STR(name_at(0x1000), "before");
    CHECK_STR(name_at(0x3000), "behind");
    CHECK(map.malformed_cnt > 0);
}

TEST(a_closed_map_knows_nothing)
{
    perf_map_close(&map);
    perf_map_close(&map);
    CHECK(!perf_map_update(&map));
    CHECK_STR(name_at(0x1000), "-");
}

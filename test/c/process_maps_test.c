// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_maps.h"

#include "test.h"

#include <unistd.h>

static struct process_maps maps;

static void check_path(const struct process_mapping *mapping, const char *wanted)
{
    struct text path = process_maps_path(&maps, mapping);
    CHECK_UINT(path.len, strlen(wanted));
    CHECK(path.len == 0 || memcmp(path.bytes, wanted, path.len) == 0);
}

static void begin(void)
{
    process_maps_deinit(&maps);
}

TEST(an_executable_mapping_is_found_by_address)
{
    begin();
    process_maps_add_line(&maps,
                          "55d0c8a7f000-55d0c8a80000 r-xp 00001000 fe:01 1234  /usr/bin/x\n");
    CHECK_UINT(maps.cnt, 1);
    CHECK(process_maps_find(&maps, 0x55d0c8a7efff) == NULL);
    CHECK(process_maps_find(&maps, 0x55d0c8a80000) == NULL);
    const struct process_mapping *mapping = process_maps_find(&maps, 0x55d0c8a7ffff);
    CHECK(mapping != NULL);
    CHECK_UINT(mapping->offset, 0x1000);
    CHECK_UINT(mapping->inode, 1234);
    CHECK_UINT(mapping->dev_major, 0xfe);
    CHECK_UINT(mapping->dev_minor, 1);
    CHECK_INT(mapping->kind, PROCESS_MAPPING_FILE);
    check_path(mapping, "/usr/bin/x");
}

TEST(data_is_left_out)
{
    begin();
    process_maps_add_line(&maps, "1000-2000 rw-p 00000000 00:00 0 \n");
    process_maps_add_line(&maps, "2000-3000 r--p 00000000 fe:01 1 /usr/bin/x\n");
    CHECK_UINT(maps.cnt, 0);
    CHECK_UINT(maps.refused, 0);
}

TEST(kinds_are_told_apart)
{
    static const struct {
        const char *line;
        enum process_mapping_kind kind;
        const char *path;
    } CASES[] = {
        {"1000-2000 rwxp 0 00:00 0 ", PROCESS_MAPPING_ANONYMOUS, ""},
        {"2000-3000 r-xs 0 00:01 5 /memfd:vmem (deleted)", PROCESS_MAPPING_ANONYMOUS,
         "/memfd:vmem"},
        {"3000-4000 r-xp 0 fe:01 6 /tmp/a b (deleted)", PROCESS_MAPPING_FILE, "/tmp/a b"},
        {"4000-5000 r-xp 0 00:00 0 [vdso]", PROCESS_MAPPING_VDSO, "[vdso]"},
        {"5000-6000 r-xp 0 00:00 0 [anon:v8]", PROCESS_MAPPING_ANONYMOUS, "[anon:v8]"},
        {"6000-7000 r-xp 0 00:00 0 [heap]", PROCESS_MAPPING_ANONYMOUS, "[heap]"},
        {"7000-8000 --xp 0 00:00 0 [vsyscall]", PROCESS_MAPPING_OTHER, "[vsyscall]"},
    };
    begin();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        process_maps_add_line(&maps, CASES[i].line);
        CHECK_UINT(maps.cnt, i + 1);
        CHECK_INT(maps.mappings[i].kind, CASES[i].kind);
        check_path(&maps.mappings[i], CASES[i].path);
    }
}

TEST(what_is_no_mapping_is_ignored)
{
    begin();
    process_maps_add_line(&maps, "");
    process_maps_add_line(&maps, "nonsense");
    process_maps_add_line(&maps, "2000-1000 r-xp 0 00:00 0 /x");
    process_maps_add_line(&maps, "1000-2000 r-xp");
    process_maps_add_line(&maps, "1000-2000 r-xp 0 00:00");
    process_maps_add_line(&maps, "1000-2000 r-xp 0 00:00 x");
    process_maps_add_line(&maps, "1000-200000000000000000000000 r-xp 0 00:00 0 /x");
    CHECK_UINT(maps.cnt, 0);
}

TEST(out_of_order_is_refused)
{
    begin();
    process_maps_add_line(&maps, "5000-6000 r-xp 0 00:00 0 /x");
    process_maps_add_line(&maps, "1000-2000 r-xp 0 00:00 0 /y");
    process_maps_add_line(&maps, "5800-7000 r-xp 0 00:00 0 /z");
    CHECK_UINT(maps.cnt, 1);
    CHECK_UINT(maps.refused, 2);
}

TEST(too_many_mappings_are_counted)
{
    begin();
    for (uint64_t i = 1; i <= PROCESS_MAPS_MAX_MAPPINGS + 5; i++) {
        char line[96];
        (void)snprintf(line, sizeof line, "%" PRIx64 "000-%" PRIx64 "000 r-xp 0 00:00 0 /x", 2 * i,
                       2 * i + 1);
        process_maps_add_line(&maps, line);
    }
    CHECK_UINT(maps.cnt, PROCESS_MAPS_MAX_MAPPINGS);
    CHECK_UINT(maps.refused, 5);
    const struct process_mapping *last =
        process_maps_find(&maps, (2ULL * PROCESS_MAPS_MAX_MAPPINGS) << 12);
    CHECK(last == &maps.mappings[PROCESS_MAPS_MAX_MAPPINGS - 1]);
}

TEST(own_code_is_mapped)
{
    begin();
    CHECK_INT(process_maps_read(&maps, (uint32_t)getpid()), PROCESS_MAPS_CHANGED);
    maps.mappings[0].tag = 7;
    CHECK_INT(process_maps_read(&maps, (uint32_t)getpid()), PROCESS_MAPS_SAME);
    CHECK_UINT(maps.mappings[0].tag, 7);
    const struct process_mapping *mapping =
        process_maps_find(&maps, (uint64_t)(uintptr_t)&own_code_is_mapped);
    CHECK(mapping != NULL);
    CHECK_INT(mapping->kind, PROCESS_MAPPING_FILE);
}

TEST(a_process_that_is_not_there_keeps_what_was_known)
{
    begin();
    process_maps_add_line(&maps, "1000-2000 r-xp 0 00:00 0 /x");
    CHECK_INT(process_maps_read(&maps, 0x7ffffff0), PROCESS_MAPS_GONE);
    CHECK_UINT(maps.cnt, 1);
    process_maps_deinit(&maps);
    process_maps_deinit(&maps);
}

// SPDX-License-Identifier: Apache-2.0
// The lines of this very program, and tables that are none.
#include "symbols/system/source_lines.h"

#include "elf_image.h"
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

__attribute__((noinline)) static int a_function(int x)
{
    return x * 7 + 1;
}
enum { LINE_OF_FUNCTION = __LINE__ - 4 };

// As the file counts; it may be linked to move.
static uint64_t file_address(const struct elf_file *file, void *code)
{
    Dl_info info;
    CHECK(dladdr(code, &info) != 0);
    bool moves = file->segments[0].p_vaddr < 0x10000;
    return (uint64_t)(uintptr_t)code - (moves ? (uint64_t)(uintptr_t)info.dli_fbase : 0);
}

TEST(own_lines_are_found)
{
    struct elf_file file;
    struct text name = {0};
    uint32_t line = 0;
    size_t read_bytes = 0;
    CHECK_INT(a_function(1), 8);
    CHECK(elf_file_open(&file, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), NULL));
    uint64_t address = file_address(&file, (void *)(uintptr_t)a_function);
    struct source_lines *lines = source_lines_create(&file, &read_bytes);
    elf_file_close(&file);
    if (lines == NULL) {
        TEST_SKIP("the test was built without -g, or with lines that are packed otherwise");
    }
    CHECK(read_bytes > 0);
    CHECK(source_lines_memory_bytes(lines) > 0);
    CHECK(source_lines_find(lines, address, &name, &line));
    CHECK(line >= LINE_OF_FUNCTION && line <= LINE_OF_FUNCTION + 2);
    CHECK_STR(name.bytes, "source_lines_test.c");
    CHECK(!source_lines_find(lines, 0, &name, &line));
    CHECK(!source_lines_find(lines, UINT64_MAX, &name, &line));
    source_lines_destroy(lines);
    source_lines_destroy(NULL);
}

// Version 2: one file, a row at 0x1000 of line 5, the end at 0x1010.
static const unsigned char UNIT[] = {
    0, 0,   0,    0,  2,    0, 21, 0, 0, 0, // length (later), version, length of the head
    1, 1,   0xfb, 14, 10,   0, 1,  1, 1, 1, 0, 0, 0, 1, // -5, 14, opcodes below 10
    0, 'a', 0,    0,  0,    0, 0,                       // no folder, a file
    0, 9,   2,    0,  0x10, 0, 0,  0, 0, 0, 0,          // address
    3, 4,   1,    2,  0x10, 0, 1,  1,                   // line 5, row, 16 on, end
};

static struct source_lines *parse(const unsigned char *bytes, size_t len)
{
    return source_lines_parse(bytes, len, NULL, 0);
}

TEST(a_unit_of_version_2)
{
    unsigned char bytes[64];
    struct text name = {0};
    uint32_t line = 0;
    memcpy(bytes, UNIT, sizeof UNIT);
    bytes[0] = sizeof UNIT - 4;
    struct source_lines *lines = parse(bytes, sizeof UNIT);
    CHECK(lines != NULL);
    CHECK(source_lines_find(lines, 0x100f, &name, &line));
    CHECK_STR(name.bytes, "a");
    CHECK_UINT(line, 5);
    CHECK(!source_lines_find(lines, 0x1010, &name, &line));
    CHECK(!source_lines_find(lines, 0xfff, &name, &line));
    source_lines_destroy(lines);
}

TEST(what_is_cut_has_no_lines)
{
    unsigned char bytes[64];
    memcpy(bytes, UNIT, sizeof UNIT);
    for (size_t len = 0; len < sizeof UNIT; len++) {
        bytes[0] = (unsigned char)(len < 4 ? 0 : len - 4);
        CHECK(parse(bytes, len) == NULL);
    }
    bytes[0] = 0xff; // longer than the section
    CHECK(parse(bytes, sizeof UNIT) == NULL);
}

static struct source_lines *of_section(const char *section, const void *bytes, size_t len)
{
    static struct elf_image image;
    struct elf_file file;
    size_t read_bytes = 0;
    char path[160];
    elf_image_begin(&image);
    (void)elf_image_add(&image, section, SHT_PROGBITS, bytes, len);
    elf_image_end(&image);
    (void)snprintf(path, sizeof path, "%s/image", test_dir());
    CHECK_INT(elf_image_write(&image, path), 0);
    CHECK(elf_file_open(&file, open(path, O_RDONLY | O_CLOEXEC), NULL));
    struct source_lines *lines = source_lines_create(&file, &read_bytes);
    elf_file_close(&file);
    return lines;
}

TEST(without_dwarf_there_are_none)
{
    CHECK(of_section(".other", "", 0) == NULL);
    CHECK(of_section(".debug_line", "garbage", 7) == NULL);
    CHECK(of_section(".zdebug_line", "ZLIB", 4) == NULL);
}

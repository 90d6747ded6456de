// SPDX-License-Identifier: Apache-2.0
// The lines of this very program, and tables that are none.
#include "symbols/system/source_lines.h"

#include "elf_image.h"
#include "go_table_image.h"
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

// ---- Go -------------------------------------------------------------------------------

enum { GO_TEXT = ELF_IMAGE_TEXT_ADDRESS };

static const struct go_image_function GO_FUNCTIONS[] = {
    {"runtime.below", 0, 0, "\x02\x20"},
    {"main.main", 0x40, 0, "\x02\x20"},
    {"main.assembly", 0x80, 0, "\x02\x20"},
};

static struct go_table_image go;

// In main.main: its line 7, 4 bytes of line 300 of what was inlined from elsewhere, line 8,
// 4 bytes of nobody's; then padding.
static void make_go(void)
{
    static const char *const PATHS[] = {"/go/src/runtime/proc.go", "/home/a/main.go",
                                        "/home/b/inlined.go"};
    go_image_make(&go, GO_IMAGE_1_20, GO_FUNCTIONS, 3, 0xc0);
    go_image_put_word(&go, GO_TABLE_TEXT_AT, GO_TEXT);
    go_image_put_paths(&go, PATHS, 3);
    go_image_add_steps(&go, 0, GO_STEP_FILE, "\x02\x40");
    go_image_add_steps(&go, 0, GO_STEP_LINE, "\x54\x40"); // 41
    go_image_put_unit(&go, 1, 1);
    go_image_add_steps(&go, 1, GO_STEP_FILE, "\x02\x08\x02\x04\x01\x0c");
    go_image_add_steps(&go, 1, GO_STEP_LINE, "\x10\x08\xca\x04\x04\xc7\x04\x08\x11\x04");
}

static void check_go_line(const struct source_lines *lines, uint64_t at, const char *file,
                          uint32_t wanted)
{
    struct text name = {0};
    uint32_t line = 0;
    CHECK_INT(source_lines_find(lines, GO_TEXT + at, &name, &line), file != NULL);
    CHECK_UINT(line, wanted);
    CHECK_STR(file == NULL ? "" : name.bytes, file == NULL ? "" : file);
}

static void check_go_lines(const struct source_lines *lines)
{
    check_go_line(lines, 0, "proc.go", 41);
    check_go_line(lines, 0x3f, "proc.go", 41);
    check_go_line(lines, 0x40, "main.go", 7);
    check_go_line(lines, 0x47, "main.go", 7);
    check_go_line(lines, 0x48, "inlined.go", 300);
    check_go_line(lines, 0x4b, "inlined.go", 300);
    check_go_line(lines, 0x4c, "main.go", 8);
    check_go_line(lines, 0x53, "main.go", 8);
    check_go_line(lines, 0x54, NULL, 0);
    check_go_line(lines, 0x58, NULL, 0); // padding
    check_go_line(lines, 0x80, NULL, 0); // nothing is told of it
    check_go_line(lines, 0xc0, NULL, 0);
}

TEST(go_tells_lines_without_dwarf)
{
    struct go_table table;
    make_go();
    CHECK(go_table_open(&table, go.bytes, go.len));
    table.text = GO_TEXT;
    struct source_lines *lines = source_lines_of_go(&table);
    CHECK(lines != NULL);
    check_go_lines(lines);
    CHECK(source_lines_memory_bytes(lines) > 0);
    source_lines_destroy(lines);
}

TEST(of_a_file_it_is_read_when_asked_for)
{
    static struct elf_image image;
    struct elf_file file;
    size_t read_bytes = 0;
    make_go();
    elf_image_begin(&image);
    (void)elf_image_add(&image, ".gopclntab", SHT_PROGBITS, go.bytes, go.len);
    elf_image_end(&image);
    CHECK(elf_file_open_memory(&file, image.bytes, image.len, NULL));
    CHECK(source_lines_create(&file, &read_bytes) == NULL);
    CHECK_UINT(read_bytes, 0);
    struct source_lines *lines = source_lines_create_of_go(&file, &read_bytes);
    elf_file_close(&file);
    CHECK(lines != NULL);
    CHECK_UINT(read_bytes, go.len);
    check_go_lines(lines);
    source_lines_destroy(lines);
}

TEST(a_file_that_is_not_go_has_none_of_it)
{
    static struct elf_image image;
    struct elf_file file;
    size_t read_bytes = 1;
    elf_image_begin(&image);
    (void)elf_image_add(&image, ".gopclntab", SHT_PROGBITS, "garbage", 7);
    elf_image_end(&image);
    CHECK(elf_file_open_memory(&file, image.bytes, image.len, NULL));
    CHECK(source_lines_create_of_go(&file, &read_bytes) == NULL);
    CHECK_UINT(read_bytes, 0);
    elf_file_close(&file);
}

TEST(go_functions_that_overlap_are_left_out)
{
    static const struct go_image_function FUNCTIONS[] = {
        {"main.a", 0x40, 0, "\x02\x20"},
        {"main.back", 0x20, 0, "\x02\x20"}, // its end is behind the one that follows
        {"main.b", 0x80, 0, "\x02\x20"},
    };
    static const char *const PATHS[] = {"main.go"};
    struct go_table table;
    go_image_make(&go, GO_IMAGE_1_20, FUNCTIONS, 3, 0xc0);
    go_image_put_paths(&go, PATHS, 1);
    for (uint32_t i = 0; i < 3; i++) {
        const char lines[] = {(char)(0x10 + 2 * i), 0x40, 0};
        go_image_add_steps(&go, i, GO_STEP_FILE, "\x02\x40");
        go_image_add_steps(&go, i, GO_STEP_LINE, lines);
    }
    CHECK(go_table_open(&table, go.bytes, go.len));
    table.text = GO_TEXT;
    struct source_lines *lines = source_lines_of_go(&table);
    CHECK(lines != NULL);
    check_go_line(lines, 0x80, "main.go", 9);
    check_go_line(lines, 0x20, "main.go", 8);
    check_go_line(lines, 0x50, "main.go", 8);
    source_lines_destroy(lines);
}

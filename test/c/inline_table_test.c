// SPDX-License-Identifier: Apache-2.0
// What is inlined in this very program, and sections that tell nothing.
#include "symbols/system/inline_table.h"

#include "elf_image.h"
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

static void *place; // in the innermost

__attribute__((noinline)) static int mark(int x)
{
    place = __builtin_return_address(0);
    return x + 1;
}

__attribute__((always_inline)) static inline int innermost(int x)
{
    return mark(x) * 3;
}

enum { LINE_IN_MIDDLE = __LINE__ + 4 };
__attribute__((always_inline)) static inline int middle(int x)
{
    int y = x * 5;
    return innermost(y) - 1;
}

enum { LINE_IN_OUTER = __LINE__ + 3 };
__attribute__((always_inline)) static inline int outer(int x)
{
    return middle(x + 2) + x;
}

enum { LINE_IN_FUNCTION = __LINE__ + 3 };
__attribute__((noinline)) static int function(int x)
{
    return outer(x) * 7;
}

static struct inline_table *own_table(struct elf_file *file)
{
    size_t read_bytes = 0;
    CHECK(elf_file_open(file, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), NULL));
    return inline_table_create(file, &read_bytes);
}

// As the file counts; it may be linked to move.
static uint64_t file_address(const struct elf_file *file, void *code)
{
    Dl_info info;
    CHECK(dladdr(code, &info) != 0);
    bool moves = file->segments[0].p_vaddr < 0x10000;
    return (uint64_t)(uintptr_t)code - (moves ? (uint64_t)(uintptr_t)info.dli_fbase : 0);
}

TEST(own_inlined_functions_are_found)
{
    struct elf_file file;
    struct inlined_call calls[16];
    CHECK_INT(function(1), ((15 + 1) * 3 - 1 + 1) * 7);
    struct inline_table *table = own_table(&file);
    if (table == NULL) {
        TEST_SKIP("the test was built without -g, or with sections that are packed otherwise");
    }
    uint64_t address = file_address(&file, place) - 1;
    CHECK_UINT(inline_table_find(table, address, calls, 16), 3);
    CHECK_STR(calls[0].name.bytes, "innermost");
    CHECK_STR(calls[1].name.bytes, "middle");
    CHECK_STR(calls[2].name.bytes, "outer");
    CHECK_UINT(calls[0].call_line, LINE_IN_MIDDLE);
    CHECK_UINT(calls[1].call_line, LINE_IN_OUTER);
    CHECK_UINT(calls[2].call_line, LINE_IN_FUNCTION);
    CHECK_UINT(calls[2].function, file_address(&file, (void *)(uintptr_t)function));
    CHECK_UINT(inline_table_find(table, address, calls, 2), 2);
    CHECK(inline_table_memory_bytes(table) > 0);
    elf_file_close(&file);
    inline_table_destroy(table);
}

TEST(elsewhere_there_are_none)
{
    struct elf_file file;
    struct inlined_call calls[16];
    struct inline_table *table = own_table(&file);
    if (table != NULL) {
        uint64_t address = file_address(&file, (void *)(uintptr_t)mark);
        CHECK_UINT(inline_table_find(table, address, calls, 16), 0);
        CHECK_UINT(inline_table_find(table, 0, calls, 16), 0);
        CHECK_UINT(inline_table_find(table, UINT64_MAX, calls, 16), 0);
    }
    elf_file_close(&file);
    inline_table_destroy(table);
    inline_table_destroy(NULL);
}

// A function `f` at 0x1000..0x1100, in it `g` at 0x1010..0x1020 and, in that, `h` at
// 0x1018..0x1030, which reaches too far.
static const char ABBREV[] =
    "\1\x11\1\0\0"                             // unit
    "\2\x2e\1\3\x08\x11\1\x12\7\0\0"           // function: name, low, high
    "\3\x2e\0\3\x08\0\0"                       // pattern: name
    "\4\x1d\1\x31\x13\x11\1\x12\7\x59\x0b\0\0" // call: origin, low, high, line
    "\0";
static const unsigned char INFO[] = {
    0, 0,    0, 0, 4, 0,    0,    0, 0, 0, 8, // length (later), version 4, abbreviations, 8 bytes
    1,                                        // 11
    3, 'g',  0,                               // 12
    3, 'h',  0,                               // 15
    2, 'f',  0,                               // 18
    0, 0x10, 0, 0, 0, 0,    0,    0, 0, 1, 0, 0, 0, 0,    0, 0,                   // 0x1000, 0x100
    4, 12,   0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 5, // g, line 5
    4, 15,   0, 0, 0, 0x18, 0x10, 0, 0, 0, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 6, // h, line 6
    0, 0,    0, 0,
};

static struct inline_table *parse(unsigned char *info, size_t len, size_t abbrev_len)
{
    struct debug_sections sections = {
        .info = {(const char *)info, (uint32_t)len},
        .abbrev = {ABBREV, (uint32_t)abbrev_len},
    };
    return inline_table_parse(&sections);
}

TEST(one_that_reaches_too_far_is_cut)
{
    unsigned char info[sizeof INFO];
    struct inlined_call calls[4];
    memcpy(info, INFO, sizeof INFO);
    info[0] = sizeof INFO - 4;
    struct inline_table *table = parse(info, sizeof info, sizeof ABBREV);
    CHECK(table != NULL);
    CHECK_UINT(inline_table_find(table, 0x100f, calls, 4), 0);
    CHECK_UINT(inline_table_find(table, 0x1010, calls, 4), 1);
    CHECK_STR(calls[0].name.bytes, "g");
    CHECK_UINT(calls[0].call_line, 5);
    CHECK_UINT(calls[0].function, 0x1000);
    CHECK_UINT(inline_table_find(table, 0x101f, calls, 4), 2);
    CHECK_STR(calls[0].name.bytes, "h");
    CHECK_STR(calls[1].name.bytes, "g");
    CHECK_UINT(inline_table_find(table, 0x1020, calls, 4), 0);
    inline_table_destroy(table);
}

TEST(what_is_cut_is_read_as_far_as_it_goes)
{
    unsigned char info[sizeof INFO];
    memcpy(info, INFO, sizeof INFO);
    for (size_t len = 0; len < sizeof INFO; len++) {
        info[0] = (unsigned char)(len < 4 ? 0 : len - 4);
        inline_table_destroy(parse(info, len, sizeof ABBREV));
    }
    info[0] = sizeof INFO - 4;
    for (size_t len = 0; len + 2 < sizeof ABBREV; len++) {
        CHECK(parse(info, sizeof info, len) == NULL);
    }
    info[0] = 0xff; // longer than the section
    CHECK(parse(info, sizeof info, sizeof ABBREV) == NULL);
}

TEST(without_dwarf_there_are_none)
{
    static struct elf_image image;
    struct elf_file file;
    size_t read_bytes = 0;
    char path[160];
    elf_image_begin(&image);
    (void)elf_image_add(&image, ".debug_info", SHT_PROGBITS, "garbage", 7);
    elf_image_end(&image);
    (void)snprintf(path, sizeof path, "%s/image", test_dir());
    CHECK_INT(elf_image_write(&image, path), 0);
    CHECK(elf_file_open(&file, open(path, O_RDONLY | O_CLOEXEC), NULL));
    CHECK(inline_table_create(&file, &read_bytes) == NULL);
    elf_file_close(&file);
}

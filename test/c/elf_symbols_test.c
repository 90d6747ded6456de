// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_symbols.h"

#include "symbols/system/elf_mini_debug.h"

#include "elf_image.h"
#include "go_table_image.h"
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <lzma.h>
#include <zlib.h>

enum { TEXT_AT = ELF_IMAGE_TEXT_ADDRESS };

static struct elf_image image;
static struct elf_image debug_image;
static struct elf_file file;
static struct symbol_table table;
static char opened_path[4096];

static enum elf_symbols_source load(const char *path, const struct elf_debug_opener *opener)
{
    elf_file_close(&file);
    symbol_table_deinit(&table);
    symbol_table_init(&table, 1 << 20);
    CHECK(elf_file_open_memory(&file, image.bytes, image.len, NULL));
    return elf_symbols_load(&table, &file, text_of(path), opener);
}

static const char *name_at(uint64_t address)
{
    const struct symbol *symbol = symbol_table_find(&table, address);
    return symbol == NULL ? "-" : symbol_table_name(&table, symbol).bytes;
}

static void make(struct elf_image *to, uint32_t type, const Elf64_Sym *symbols, size_t cnt,
                 const char *strings, size_t strings_len)
{
    elf_image_begin(to);
    elf_image_add_symbols(to, type, symbols, cnt, strings, strings_len);
}

static const char STRINGS[] = "\0first\0second\0_third\0.L4\0";
enum { FIRST = 1, SECOND = 7, THIRD = 14, LOCAL_LABEL = 21 };

TEST(functions_are_named)
{
    Elf64_Sym symbols[] = {
        elf_image_function(FIRST, TEXT_AT, 0x10),
        elf_image_function(SECOND, TEXT_AT + 0x20, 0x10),
    };
    make(&image, SHT_SYMTAB, symbols, 2, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_STR(name_at(TEXT_AT + 0xf), "first");
    CHECK_STR(name_at(TEXT_AT + 0x10), "-");
    CHECK_STR(name_at(TEXT_AT + 0x20), "second");
}

TEST(a_function_without_a_size_reaches_to_the_next_in_symtab)
{
    Elf64_Sym symbols[] = {
        elf_image_function(FIRST, TEXT_AT, 0),
        elf_image_function(SECOND, TEXT_AT + 0x20, 0),
    };
    make(&image, SHT_SYMTAB, symbols, 2, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_STR(name_at(TEXT_AT + 0x1f), "first");
    CHECK_STR(name_at(TEXT_AT + ELF_IMAGE_TEXT_BYTES - 1), "second");
    CHECK_STR(name_at(TEXT_AT + ELF_IMAGE_TEXT_BYTES), "-");
}

TEST(dynsym_names_only_what_its_sizes_cover)
{
    Elf64_Sym symbols[] = {
        elf_image_function(FIRST, TEXT_AT, 0x10),
        elf_image_function(SECOND, TEXT_AT + 0x20, 0),
    };
    make(&image, SHT_DYNSYM, symbols, 2, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_DYNSYM);
    CHECK_STR(name_at(TEXT_AT), "first");
    CHECK_STR(name_at(TEXT_AT + 0x10), "-");
    CHECK_STR(name_at(TEXT_AT + 0x20), "-");
}

TEST(the_name_people_know_is_chosen)
{
    Elf64_Sym symbols[] = {
        elf_image_function(THIRD, TEXT_AT, 0x10),
        elf_image_function(SECOND, TEXT_AT, 0x10),
        elf_image_function(FIRST, TEXT_AT + 0x20, 0x10),
        elf_image_function(SECOND, TEXT_AT + 0x20, 0x10),
    };
    symbols[3].st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
    make(&image, SHT_SYMTAB, symbols, 4, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_STR(name_at(TEXT_AT), "second"); // not _third
    CHECK_STR(name_at(TEXT_AT + 0x20), "first");
}

TEST(data_undefined_and_local_labels_are_no_functions)
{
    Elf64_Sym symbols[] = {
        elf_image_function(FIRST, TEXT_AT, 0x10),
        elf_image_function(SECOND, TEXT_AT + 0x20, 0x10),
        elf_image_function(LOCAL_LABEL, TEXT_AT + 0x40, 0x10),
        elf_image_function(THIRD, TEXT_AT + 0x60, 0x10),
    };
    symbols[0].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    symbols[1].st_shndx = SHN_UNDEF;
    symbols[2].st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE);
    symbols[3].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
    make(&image, SHT_SYMTAB, symbols, 4, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_UINT(table.cnt, 1);
    CHECK_STR(name_at(TEXT_AT + 0x60), "_third"); // a label in assembly
}

TEST(names_outside_their_strings_are_skipped)
{
    Elf64_Sym symbols[] = {
        elf_image_function(100000, TEXT_AT, 0x10),
        elf_image_function(UINT32_MAX, TEXT_AT + 0x20, 0x10),
        elf_image_function(3, TEXT_AT + 0x40, 0x10), // ends with the section, no NUL
    };
    make(&image, SHT_SYMTAB, symbols, 3, "\0unterminated", 8);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_UINT(table.cnt, 1);
    CHECK_STR(name_at(TEXT_AT + 0x40), "termi");
}

// --- debug files --------------------------------------------------------------

static int open_debug(void *context, const char *path)
{
    const char *wanted = context;
    (void)snprintf(opened_path, sizeof opened_path, "%s", path);
    if (strcmp(path, wanted) != 0) {
        return -1;
    }
    char real[128];
    (void)snprintf(real, sizeof real, "%s/debug", test_dir());
    return open(real, O_RDONLY | O_CLOEXEC);
}

static void make_debug(const char *build_id)
{
    Elf64_Sym symbol = elf_image_function(FIRST, TEXT_AT, 0x10);
    char real[128];
    make(&debug_image, SHT_SYMTAB, &symbol, 1, STRINGS, sizeof STRINGS);
    if (build_id != NULL) {
        elf_image_add_build_id(&debug_image, build_id);
    }
    elf_image_end(&debug_image);
    (void)snprintf(real, sizeof real, "%s/debug", test_dir());
    CHECK_INT(elf_image_write(&debug_image, real), 0);
}

static void make_stripped(const char *build_id, uint32_t checksum)
{
    char link[16] = "x.debug";
    memcpy(link + 8, &checksum, sizeof checksum);
    elf_image_begin(&image);
    if (build_id != NULL) {
        elf_image_add_build_id(&image, build_id);
    }
    (void)elf_image_add(&image, ".gnu_debuglink", SHT_PROGBITS, link, 12);
    elf_image_end(&image);
}

TEST(a_debug_file_is_found_by_build_id)
{
    struct elf_debug_opener opener = {
        open_debug,
        (char[]){"/usr/lib/debug/.build-id/61/62630000000000000000000000000000000000.debug"}};
    make_debug("abc");
    make_stripped("abc", 0);
    CHECK_INT(load("/usr/bin/x", &opener), ELF_SYMBOLS_DEBUG_FILE);
    CHECK_STR(name_at(TEXT_AT), "first");
}

TEST(a_debug_file_of_another_build_is_refused)
{
    struct elf_debug_opener opener = {
        open_debug,
        (char[]){"/usr/lib/debug/.build-id/61/62630000000000000000000000000000000000.debug"}};
    make_debug("xyz");
    make_stripped("abc", 0);
    CHECK_INT(load("/usr/bin/x", &opener), ELF_SYMBOLS_NONE);
}

static enum elf_symbols_source load_by_link(const char *place, uint32_t checksum_error)
{
    struct elf_debug_opener opener = {open_debug, (void *)(uintptr_t)place};
    make_debug(NULL);
    uLong checksum = crc32(0, debug_image.bytes, (uInt)debug_image.len);
    make_stripped(NULL, (uint32_t)checksum + checksum_error);
    return load("/usr/bin/x", &opener);
}

TEST(a_debug_file_is_found_by_its_link_in_three_places)
{
    CHECK_INT(load_by_link("/usr/bin/x.debug", 0), ELF_SYMBOLS_DEBUG_FILE);
    CHECK_INT(load_by_link("/usr/bin/.debug/x.debug", 0), ELF_SYMBOLS_DEBUG_FILE);
    CHECK_INT(load_by_link("/usr/lib/debug/usr/bin/x.debug", 0), ELF_SYMBOLS_DEBUG_FILE);
    CHECK_INT(load_by_link("/elsewhere/x.debug", 0), ELF_SYMBOLS_NONE);
}

TEST(a_debug_file_with_another_checksum_is_refused)
{
    CHECK_INT(load_by_link("/usr/bin/x.debug", 1), ELF_SYMBOLS_NONE);
}

TEST(a_link_with_a_slash_is_refused)
{
    struct elf_debug_opener opener = {open_debug, (char[]){"/usr/bin/../x"}};
    elf_image_begin(&image);
    (void)elf_image_add(&image, ".gnu_debuglink", SHT_PROGBITS, "../x\0\0\0\0abcd", 12);
    elf_image_end(&image);
    opened_path[0] = '\0';
    CHECK_INT(load("/usr/bin/x", &opener), ELF_SYMBOLS_NONE);
    CHECK_STR(opened_path, "");
}

TEST(versions_are_left_out)
{
    static const char VERSIONED[] = "\0memcpy@@GLIBC_2.14\0@odd\0";
    Elf64_Sym symbols[] = {
        elf_image_function(1, TEXT_AT, 0x10),
        elf_image_function(20, TEXT_AT + 0x20, 0x10),
    };
    make(&image, SHT_SYMTAB, symbols, 2, VERSIONED, sizeof VERSIONED);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_STR(name_at(TEXT_AT), "memcpy");
    CHECK_STR(name_at(TEXT_AT + 0x20), "@odd");
}

// --- mini debuginfo -----------------------------------------------------------

static unsigned char packed[8192];

static size_t pack(const void *bytes, size_t len)
{
    size_t packed_len = 0;
    CHECK_INT(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, bytes, len, packed, &packed_len,
                                      sizeof packed),
              LZMA_OK);
    return packed_len;
}

static void make_with_mini_debug(const void *bytes, size_t len)
{
    Elf64_Sym public = elf_image_function(SECOND, TEXT_AT + 0x20, 0x10);
    make(&image, SHT_DYNSYM, &public, 1, STRINGS, sizeof STRINGS);
    (void)elf_image_add(&image, ".gnu_debugdata", SHT_PROGBITS, bytes, len);
    elf_image_end(&image);
}

TEST(mini_debuginfo_names_what_dynsym_does_not)
{
    Elf64_Sym hidden = elf_image_function(FIRST, TEXT_AT, 0x10);
    make(&debug_image, SHT_SYMTAB, &hidden, 1, STRINGS, sizeof STRINGS);
    elf_image_end(&debug_image);
    make_with_mini_debug(packed, pack(debug_image.bytes, debug_image.len));
    CHECK_INT(load("", NULL), ELF_SYMBOLS_MINI_DEBUG);
    CHECK_STR(name_at(TEXT_AT), "first");
    CHECK_STR(name_at(TEXT_AT + 0x20), "second");
}

TEST(mini_debuginfo_that_is_broken_is_as_none)
{
    size_t len = pack(debug_image.bytes, debug_image.len);
    make_with_mini_debug(packed, len / 2);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_DYNSYM);
    make_with_mini_debug("\3757zXZ\0 and no more", 18);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_DYNSYM);
    make_with_mini_debug(packed, pack("no elf file", 11));
    CHECK_INT(load("", NULL), ELF_SYMBOLS_DYNSYM);
    CHECK_STR(name_at(TEXT_AT + 0x20), "second");
}

TEST(mini_debuginfo_that_is_a_bomb_is_refused)
{
    size_t len = (size_t)ELF_MINI_DEBUG_MAX_BYTES + 1;
    void *zeros = calloc(1, len);
    static unsigned char bomb[1 << 15];
    size_t bomb_len = 0;
    CHECK(zeros != NULL);
    lzma_ret result = lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, zeros, len, bomb,
                                              &bomb_len, sizeof bomb);
    free(zeros);
    CHECK_INT(result, LZMA_OK);
    elf_file_close(&file);
    make(&image, SHT_DYNSYM, NULL, 0, STRINGS, sizeof STRINGS);
    (void)elf_image_add(&image, ".gnu_debugdata", SHT_PROGBITS, bomb, bomb_len);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_NONE);
}

TEST(own_functions_are_named)
{
    struct error err = {0};
    elf_file_close(&file);
    symbol_table_deinit(&table);
    symbol_table_init(&table, 16 << 20);
    CHECK(elf_file_open(&file, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &err));
    CHECK_INT(elf_symbols_load(&table, &file, TEXT(""), NULL), ELF_SYMBOLS_SYMTAB);
    bool found = false;
    for (uint32_t i = 0; i < table.cnt; i++) {
        found = found || strcmp(symbol_table_name(&table, &table.symbols[i]).bytes,
                                "own_functions_are_named") == 0;
    }
    CHECK(found);
    elf_file_close(&file);
    symbol_table_deinit(&table);
}

TEST(code_that_the_linker_puts_there_is_named)
{
    Dl_info info;
    elf_file_close(&file);
    symbol_table_deinit(&table);
    symbol_table_init(&table, 16 << 20);
    CHECK(dladdr((void *)(uintptr_t)malloc, &info) != 0);
    CHECK(elf_file_open(&file, open(info.dli_fname, O_RDONLY | O_CLOEXEC), NULL));
    const Elf64_Shdr *section = elf_file_section(&file, ".plt");
    if (section == NULL || elf_symbols_load(&table, &file, TEXT(""), NULL) == ELF_SYMBOLS_NONE) {
        TEST_SKIP("a C library without a .plt or symbols");
    }
    CHECK_STR(name_at(section->sh_addr + 0x20), "plt");
    elf_file_close(&file);
    symbol_table_deinit(&table);
}

// A table of names without a NUL for megabytes would be read again for each symbol.
TEST(a_name_without_an_end_is_cut)
{
    static char strings[6000];
    Elf64_Sym symbol = elf_image_function(1, TEXT_AT, 0x10);
    memset(strings + 1, 'x', sizeof strings - 2);
    make(&image, SHT_SYMTAB, &symbol, 1, strings, sizeof strings);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_UINT(strlen(name_at(TEXT_AT)), 4096);
}

static const struct go_image_function GO_FUNCTIONS[] = {
    {"main.main", 0x100, 0, "\x02\x20"},
    {"main.work[...]", 0x140, 0, "\x02\x20"},
};

// Of what a position-independent program counts its functions from only relocations know.
static void make_go(const char *section, uint64_t text, const Elf64_Rela *relocation)
{
    static struct go_table_image go;
    go_image_make(&go, GO_IMAGE_1_20, GO_FUNCTIONS, 2, 0x180);
    go_image_put_word(&go, GO_TABLE_TEXT_AT, text);
    elf_image_begin(&image);
    uint32_t index = elf_image_add(&image, section, SHT_PROGBITS, go.bytes, go.len);
    image.sections[index].sh_addr = 0x405000;
    if (relocation != NULL) {
        (void)elf_image_add(&image, ".rela", SHT_RELA, relocation, sizeof *relocation);
    }
}

TEST(a_stripped_go_program_names_its_functions)
{
    make_go(".gopclntab", TEXT_AT, NULL);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_GO);
    CHECK_STR(name_at(TEXT_AT + 0xff), "-");
    CHECK_STR(name_at(TEXT_AT + 0x100), "main.main");
    CHECK_STR(name_at(TEXT_AT + 0x140), "main.work[...]");
    CHECK_STR(name_at(TEXT_AT + 0x17f), "main.work[...]");
    CHECK_STR(name_at(TEXT_AT + 0x180), "-");
}

TEST(its_symtab_goes_before_and_dynsym_behind)
{
    Elf64_Sym linked = elf_image_function(FIRST, TEXT_AT, 0x10);
    make_go(".gopclntab", TEXT_AT, NULL);
    elf_image_add_symbols(&image, SHT_DYNSYM, &linked, 1, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_GO);
    CHECK_STR(name_at(TEXT_AT), "first");
    CHECK_STR(name_at(TEXT_AT + 0x100), "main.main");
    make_go(".gopclntab", TEXT_AT, NULL);
    elf_image_add_symbols(&image, SHT_SYMTAB, &linked, 1, STRINGS, sizeof STRINGS);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_SYMTAB);
    CHECK_STR(name_at(TEXT_AT + 0x100), "-");
}

TEST(where_a_go_program_that_lies_anywhere_begins)
{
    Elf64_Rela relocation = {
        .r_offset = 0x405000 + GO_TABLE_TEXT_AT,
        .r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
        .r_addend = TEXT_AT + 0x200,
    };
    make_go(".data.rel.ro.gopclntab", 0, &relocation);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_GO);
    CHECK_STR(name_at(TEXT_AT + 0x300), "main.main");
    make_go(".gopclntab", 0, NULL); // nothing says: .text
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_GO);
    CHECK_STR(name_at(TEXT_AT + 0x100), "main.main");
    unsigned char module[256] = {0}; // as of Go 1.26
    uint64_t text = TEXT_AT + 0x400;
    memcpy(module + 176, &text, sizeof text);
    make_go(".gopclntab", 0, NULL);
    (void)elf_image_add(&image, ".go.module", SHT_PROGBITS, module, sizeof module);
    elf_image_end(&image);
    CHECK_INT(load("", NULL), ELF_SYMBOLS_GO);
    CHECK_STR(name_at(TEXT_AT + 0x500), "main.main");
}

// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_symbols.h"

#include "symbols/system/elf_debug_file.h"
#include "symbols/system/elf_mini_debug.h"
#include "symbols/system/go_image.h"

#include <stdlib.h>
#include <string.h>

enum {
    SYMBOLS_PER_READ = 1024,
    MAX_STRINGS_BYTES = 64 << 20, // while loading only
    MAX_SYMBOLS = 8 << 20,
    MAX_NAME_BYTES = 4096, // what is longer is cut: nobody sees that much of it
};

struct loader {
    struct symbol_table *table;
    const struct elf_file *file;
    const char *strings;
    size_t strings_len;
    bool sized_only;
};

static bool is_function(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    bool code = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
    return code && symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0;
}

// Labels in assembly have no type; only those in code count, and not the local
// ones of compilers (".L5") and of arm64 ("$x").
static bool is_code_label(const struct loader *loader, const Elf64_Sym *symbol, const char *name)
{
    if (ELF64_ST_TYPE(symbol->st_info) != STT_NOTYPE) {
        return true;
    }
    uint32_t section = symbol->st_shndx;
    return name[0] != '.' && name[0] != '$' && section < loader->file->section_cnt &&
           (loader->file->sections[section].sh_flags & SHF_EXECINSTR) != 0;
}

// Of the names of one address people know the one that is public and does not
// begin with an underscore.
static unsigned rank_of(const Elf64_Sym *symbol, const char *name)
{
    unsigned rank = symbol->st_size > 0 ? 8 : 0;
    rank += ELF64_ST_TYPE(symbol->st_info) != STT_NOTYPE ? 4 : 0;
    rank += name[0] != '_' ? 2 : 0;
    rank += ELF64_ST_BIND(symbol->st_info) != STB_LOCAL ? 1 : 0;
    return rank;
}

// A function without a size reaches to the next, but not out of its section.
static uint64_t longest_size(const struct loader *loader, const Elf64_Sym *symbol)
{
    if (symbol->st_shndx >= loader->file->section_cnt) {
        return 0;
    }
    const Elf64_Shdr *section = &loader->file->sections[symbol->st_shndx];
    uint64_t into = symbol->st_value - section->sh_addr;
    return symbol->st_value >= section->sh_addr && into < section->sh_size ? section->sh_size - into
                                                                           : 0;
}

// memcpy@@GLIBC_2.14: people say memcpy.
static struct text without_version(const char *name)
{
    size_t len = strnlen(name, MAX_NAME_BYTES);
    const char *end = memchr(name, '@', len);
    return (struct text){name, (uint32_t)(end == NULL || end == name ? len : (size_t)(end - name))};
}

static void add_symbol(const struct loader *loader, const Elf64_Sym *symbol)
{
    if (!is_function(symbol) || symbol->st_name >= loader->strings_len) {
        return;
    }
    const char *name = loader->strings + symbol->st_name; // ends in the section or at its NUL
    if (*name == '\0' || !is_code_label(loader, symbol, name)) {
        return;
    }
    uint64_t size = symbol->st_size;
    enum symbol_extent extent = SYMBOL_EXACT;
    if (size == 0) {
        size = loader->sized_only ? 0 : longest_size(loader, symbol);
        extent = SYMBOL_UP_TO_THE_NEXT;
    }
    if (size > 0) {
        (void)symbol_table_add(loader->table, symbol->st_value, size, extent, rank_of(symbol, name),
                               without_version(name));
    }
}

static void add_symbols(const struct loader *loader, const Elf64_Shdr *section)
{
    Elf64_Sym symbols[SYMBOLS_PER_READ];
    uint64_t cnt = section->sh_size / sizeof symbols[0];
    cnt = cnt > MAX_SYMBOLS ? MAX_SYMBOLS : cnt;
    for (uint64_t at = 0; at < cnt; at += SYMBOLS_PER_READ) {
        uint64_t part = cnt - at < SYMBOLS_PER_READ ? cnt - at : SYMBOLS_PER_READ;
        if (!elf_file_read(loader->file, section->sh_offset + at * sizeof symbols[0], symbols,
                           part * sizeof symbols[0])) {
            return;
        }
        for (uint64_t i = 0; i < part; i++) {
            add_symbol(loader, &symbols[i]);
        }
    }
}

// Code that the linker puts there, and that .symtab alone has names for, if any.
static void name_sections(struct symbol_table *table, const struct elf_file *file)
{
    static const struct {
        const char *section;
        const char *name;
    } NAMES[] = {{".init", "_init"},
                 {".fini", "_fini"},
                 {".plt", "plt"},
                 {".plt.sec", "plt"},
                 {".plt.got", "plt"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const Elf64_Shdr *section = elf_file_section(file, NAMES[i].section);
        if (section != NULL && (section->sh_flags & SHF_EXECINSTR) != 0 && section->sh_size > 0) {
            (void)symbol_table_add(table, section->sh_addr, section->sh_size, SYMBOL_EXACT, 0,
                                   text_of(NAMES[i].name));
        }
    }
}

static bool load_from(struct symbol_table *table, const struct elf_file *file, uint32_t type)
{
    const Elf64_Shdr *section = elf_file_section_of_type(file, type);
    if (section == NULL || section->sh_entsize != sizeof(Elf64_Sym) ||
        section->sh_link >= file->section_cnt || section->sh_offset > file->size) {
        return false;
    }
    struct loader loader = {.table = table, .file = file, .sized_only = type == SHT_DYNSYM};
    char *strings = elf_file_load_section(file, &file->sections[section->sh_link],
                                          MAX_STRINGS_BYTES, &loader.strings_len);
    if (strings == NULL) {
        return false;
    }
    loader.strings = strings;
    symbol_table_reserve(table, section->sh_size / sizeof(Elf64_Sym));
    symbol_table_lend(table, (struct text){strings, (uint32_t)loader.strings_len});
    add_symbols(&loader, section);
    if (table->cnt > 0) {
        name_sections(table, file);
    }
    symbol_table_finish(table);
    free(strings);
    return table->cnt > 0;
}

static bool load_from_debug_file(struct symbol_table *table, const struct elf_file *file,
                                 struct text path, const struct elf_debug_opener *opener)
{
    struct elf_file debug = {0};
    if (opener == NULL || !elf_debug_file_open(&debug, file, path, opener)) {
        return false;
    }
    bool ok = load_from(table, &debug, SHT_SYMTAB);
    elf_file_close(&debug);
    return ok;
}

// Has only what .dynsym has not.
static bool load_from_mini_debug(struct symbol_table *table, const struct elf_file *file)
{
    struct elf_mini_debug mini;
    if (!elf_mini_debug_open(&mini, file)) {
        return false;
    }
    bool ok = load_from(table, &mini.file, SHT_SYMTAB);
    elf_mini_debug_close(&mini);
    if (ok) {
        (void)load_from(table, file, SHT_DYNSYM);
    }
    return ok;
}

static void add_go_functions(struct symbol_table *table, const struct go_table *functions)
{
    struct go_function function;
    symbol_table_reserve(table, functions->function_cnt);
    symbol_table_lend(table, go_table_names(functions));
    for (uint32_t i = 0; i < functions->function_cnt; i++) {
        if (go_table_function(functions, i, &function)) {
            (void)symbol_table_add(table, function.start, function.end - function.start,
                                   SYMBOL_EXACT, SYMBOL_MAX_RANK,
                                   go_table_name(functions, &function));
        }
    }
    symbol_table_finish(table);
}

// Of what a Go program was linked with from elsewhere only .dynsym knows.
static bool load_from_go(struct symbol_table *table, const struct elf_file *file)
{
    struct go_image image;
    if (!go_image_open(&image, file)) {
        return false;
    }
    add_go_functions(table, &image.table);
    go_image_close(&image);
    bool ok = table->cnt > 0;
    if (ok) {
        (void)load_from(table, file, SHT_DYNSYM);
    }
    return ok;
}

enum elf_symbols_source elf_symbols_load(struct symbol_table *table, const struct elf_file *file,
                                         struct text path, const struct elf_debug_opener *opener)
{
    if (load_from(table, file, SHT_SYMTAB)) {
        return ELF_SYMBOLS_SYMTAB;
    }
    if (load_from_debug_file(table, file, path, opener)) {
        return ELF_SYMBOLS_DEBUG_FILE;
    }
    if (load_from_mini_debug(table, file)) {
        return ELF_SYMBOLS_MINI_DEBUG;
    }
    if (load_from_go(table, file)) {
        return ELF_SYMBOLS_GO;
    }
    return load_from(table, file, SHT_DYNSYM) ? ELF_SYMBOLS_DYNSYM : ELF_SYMBOLS_NONE;
}

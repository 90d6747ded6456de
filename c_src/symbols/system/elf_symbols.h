// SPDX-License-Identifier: Apache-2.0
// The function names of an ELF file: from its .symtab, else from the .symtab of
// its separate debug file (found by build id or .gnu_debuglink), else from its mini
// debuginfo and .dynsym, or what Go's runtime knows of its functions and .dynsym, else from
// .dynsym alone, where a name covers only what its st_size says. Symbol versions are left out.
// Addresses are those of the file (p_vaddr). Input is hostile.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_ELF_SYMBOLS_H
#define FLAME_PROF_SYMBOLS_SYSTEM_ELF_SYMBOLS_H

#include "symbols/system/elf_file.h"
#include "symbols/system/symbol_table.h"

enum elf_symbols_source {
    ELF_SYMBOLS_NONE, // no names at all
    ELF_SYMBOLS_SYMTAB,
    ELF_SYMBOLS_DEBUG_FILE,
    ELF_SYMBOLS_MINI_DEBUG,
    ELF_SYMBOLS_GO,
    ELF_SYMBOLS_DYNSYM,
};

// Opens a debug file by its absolute path, as the process that maps the ELF file
// would; a descriptor for the caller, or -1.
struct elf_debug_opener {
    int (*open)(void *context, const char *path);
    void *context;
};

// Fills and finishes `table`. `path` is where the file lies (for
// .gnu_debuglink), "" when unknown; `opener` may be NULL.
enum elf_symbols_source elf_symbols_load(struct symbol_table *table, const struct elf_file *file,
                                         struct text path, const struct elf_debug_opener *opener);

#endif

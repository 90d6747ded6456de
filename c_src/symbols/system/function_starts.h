// SPDX-License-Identifier: Apache-2.0
// Where the functions of an ELF file begin and end, by its call frame information,
// which is there when all names are stripped. Eight bytes a function. Input is
// hostile. One owner; many readers once loaded.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_FUNCTION_STARTS_H
#define FLAME_PROF_SYMBOLS_SYSTEM_FUNCTION_STARTS_H

#include "symbols/system/elf_file.h"
#include "symbols/system/symbol_table.h"

// Relative to `base` of the table.
struct function_range {
    uint32_t start;
    uint32_t end; // exclusive
};

// A zeroed struct is empty.
struct function_starts {
    uint64_t base;
    struct function_range *ranges; // by start
    uint32_t cnt;
};

// False when the file has no .eh_frame that can be read. Takes meanwhile some
// 32 bytes a function, and the section.
bool function_starts_load(struct function_starts *starts, const struct elf_file *file);
// Forgets those that `table`, which is finished, names from beginning to end.
void function_starts_drop_named(struct function_starts *starts, const struct symbol_table *table);
// Harmless twice and on a zeroed struct.
void function_starts_deinit(struct function_starts *starts);

// Where the function that holds `address` begins. False when none does.
bool function_starts_find(const struct function_starts *starts, uint64_t address, uint64_t *start);

size_t function_starts_memory_bytes(const struct function_starts *starts);

#endif

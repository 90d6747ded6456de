// SPDX-License-Identifier: Apache-2.0
// Which functions were inlined at an address of an ELF file: read at once from .debug_info
// (DWARF 2 to 5) into a table that is then looked up in. Nothing in the file is trusted;
// what exceeds the limits is left out. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_INLINE_TABLE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_INLINE_TABLE_H

#include "symbols/system/debug_sections.h"

#include <stddef.h>
#include <stdint.h>

enum {
    INLINE_TABLE_MAX_SECTION_BYTES = 64 << 20, // all sections, unpacked
    INLINE_TABLE_MAX_CALLS = 1 << 20,
    INLINE_TABLE_MAX_FUNCTIONS = 1 << 20, // that have names, while it is read
    INLINE_TABLE_MAX_NAMES_BYTES = 16 << 20,
    INLINE_TABLE_MAX_DEPTH = 256, // of entries in each other
};

struct inline_table;

// Of `file` or the debug file that goes with it, which may be closed afterwards. NULL when
// nothing is inlined in it, or it is not told, or its sections exceed the limit;
// `read_bytes` is what was read.
struct inline_table *inline_table_create(const struct elf_file *file, size_t *read_bytes);
// The same of sections in memory. Borrowed for the call.
struct inline_table *inline_table_parse(const struct debug_sections *sections);
void inline_table_destroy(struct inline_table *table);

// A call that was inlined.
struct inlined_call {
    struct text name;   // of the function, as the linker would have it; valid for the table's life
    uint32_t call_line; // in the function that it was inlined into; 0 = unknown
    uint64_t function;  // where the function begins that all of it is in
};

// The calls at `address`, as the file counts, the innermost first; those beyond `max` are
// left out. How many.
uint32_t inline_table_find(const struct inline_table *table, uint64_t address,
                           struct inlined_call *calls, uint32_t max);

size_t inline_table_memory_bytes(const struct inline_table *table);

#endif

// SPDX-License-Identifier: Apache-2.0
// Sections of DWARF as bytes: read from a file, unpacked where zlib packed them. One owner.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_SECTIONS_H
#define FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_SECTIONS_H

#include "symbols/system/elf_file.h"

#include <stdbool.h>
#include <stddef.h>

// What tells of inlined functions. Sections that a file does not have are empty.
struct debug_sections {
    struct text info;        // .debug_info
    struct text abbrev;      // .debug_abbrev
    struct text str;         // .debug_str
    struct text line_str;    // .debug_line_str
    struct text str_offsets; // .debug_str_offsets
    struct text addr;        // .debug_addr
    struct text ranges;      // .debug_ranges, DWARF 2 to 4
    struct text rnglists;    // .debug_rnglists, DWARF 5
};

// The section's bytes, to be freed by the caller. NULL when it is not there, larger than
// `max_bytes`, or packed otherwise than by zlib.
char *debug_section_load(const struct elf_file *file, const char *name, size_t max_bytes,
                         size_t *len);

// False when the file tells of no functions, or its sections are larger than `max_bytes`
// together; then nothing is held. `bytes` is what was read.
bool debug_sections_load(struct debug_sections *sections, const struct elf_file *file,
                         size_t max_bytes, size_t *bytes);
// Of those that were loaded. Harmless twice and on a zeroed struct.
void debug_sections_free(struct debug_sections *sections);

#endif

// SPDX-License-Identifier: Apache-2.0
// Source files and lines of an ELF file's code: the rows of .debug_line, DWARF 2 to 5, or
// what Go's table of functions says, read at once into a table that is then looked up in.
// Nothing in the file is trusted; what exceeds the limits is left out. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_SOURCE_LINES_H
#define FLAME_PROF_SYMBOLS_SYSTEM_SOURCE_LINES_H

#include "symbols/system/elf_file.h"
#include "unwind/go_table.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SOURCE_LINES_MAX_SECTION_BYTES = 32 << 20, // unpacked
    SOURCE_LINES_MAX_ROWS = 1 << 20,
};

struct source_lines;

// Of `file` or the debug file that goes with it, which may be closed afterwards. NULL when
// it has no lines or more than the limits; `read_bytes` is what was unpacked and read,
// which is also what it took.
struct source_lines *source_lines_create(const struct elf_file *file, size_t *read_bytes);
// The same of sections in memory; `names` is .debug_line_str. Borrowed for the call.
struct source_lines *source_lines_parse(const void *section, size_t len, const char *names,
                                        size_t names_len);

// The same of a Go program, which has them without DWARF, too (symbols/system/go_image.h says
// which; it takes up to 128 MB while it is read).
struct source_lines *source_lines_create_of_go(const struct elf_file *file, size_t *read_bytes);
// The same of a table in memory. Borrowed for the call.
struct source_lines *source_lines_of_go(const struct go_table *table);

void source_lines_destroy(struct source_lines *lines);

// Where the code at `address`, as the file counts, stands: the file's name without its
// folders, valid for the table's life. False when that is not known.
bool source_lines_find(const struct source_lines *lines, uint64_t address, struct text *file,
                       uint32_t *line);

size_t source_lines_memory_bytes(const struct source_lines *lines);

#endif

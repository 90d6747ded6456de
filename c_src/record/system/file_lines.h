// SPDX-License-Identifier: Apache-2.0
// What DWARF tells of mapped files, source lines and inlined functions, and Go's table of
// lines where there is no DWARF: tables per file, read when it is first asked for, the least
// recently used dropped beyond a limit. What may be read in one recording is bounded, too, so
// that lines can be had of a host full of debug files; later files then have none, and a
// warning says so. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_FILE_LINES_H
#define FLAME_PROF_RECORD_SYSTEM_FILE_LINES_H

#include "capture/system/process_history.h"
#include "symbols/system/elf_cache.h"
#include "symbols/system/inline_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILE_LINES_MAX_FILES = 64,
    FILE_LINES_MAX_BYTES = 64 << 20,       // of the tables
    FILE_LINES_MAX_READ_BYTES = 256 << 20, // of sections, in all: some 2 s of CPU
};

struct file_lines;

struct file_lines_options {
    bool tells_lines;
    bool tells_inlined;
};

// NULL when out of memory.
struct file_lines *file_lines_create(const struct file_lines_options *options);
void file_lines_destroy(struct file_lines *lines);

// Code: the file `id`, which `mapping` of `process` maps, and an address as it counts.
struct file_place {
    elf_cache_id id;
    const struct process *process;
    const struct process_mapping *mapping;
    const struct elf_debug_opener *opener;
    uint64_t address;
};

// The source file, without folders, and line of the code there. Valid until the next call.
bool file_lines_find(struct file_lines *lines, const struct file_place *place, struct text *file,
                     uint32_t *line);

// The calls that were inlined there: see inline_table_find. Valid until the next call.
uint32_t file_lines_inlined(struct file_lines *lines, const struct file_place *place,
                            struct inlined_call *calls, uint32_t max);

size_t file_lines_memory_bytes(const struct file_lines *lines);

#endif

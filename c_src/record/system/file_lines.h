// SPDX-License-Identifier: Apache-2.0
// Source lines of mapped files: a table per file, read when it is first asked for, the
// least recently used dropped beyond a limit. What may be read in one recording is bounded,
// too, so that lines can be had of a host full of debug files; later files then have none,
// and a warning says so. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_FILE_LINES_H
#define FLAME_PROF_RECORD_SYSTEM_FILE_LINES_H

#include "capture/system/process_history.h"
#include "symbols/system/elf_cache.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILE_LINES_MAX_FILES = 64,
    FILE_LINES_MAX_BYTES = 64 << 20,       // of the tables
    FILE_LINES_MAX_READ_BYTES = 256 << 20, // of line programs, in all: some 2 s of CPU
};

struct file_lines;

// NULL when out of memory.
struct file_lines *file_lines_create(void);
void file_lines_destroy(struct file_lines *lines);

// The source file, without folders, and line of the code at `address`, as the file `id`
// counts, which `mapping` of `process` maps. Valid until the next call.
bool file_lines_find(struct file_lines *lines, elf_cache_id id, const struct process *process,
                     const struct process_mapping *mapping, const struct elf_debug_opener *opener,
                     uint64_t address, struct text *file, uint32_t *line);

size_t file_lines_memory_bytes(const struct file_lines *lines);

#endif

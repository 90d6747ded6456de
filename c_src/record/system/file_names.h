// SPDX-License-Identifier: Apache-2.0
// Names of code in mapped files: opens the file as the process sees it, while it is
// there, finds the symbol, makes C++ and Rust names readable. Bounded memory. One
// owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_FILE_NAMES_H
#define FLAME_PROF_RECORD_SYSTEM_FILE_NAMES_H

#include "capture/system/process_history.h"
#include "model/sample.h"
#include "record/system/mapped_files.h"
#include "record/system/name_scratch.h"
#include "symbols/system/name_unpacker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILE_NAMES_DEFAULT_SYMBOL_BYTES = 64 << 20,
    FILE_NAMES_MAX_INLINED = 15, // at one address
};

struct file_names;

struct file_names_options {
    size_t max_symbol_bytes; // of the symbols of all files together
    bool keeps_mangled;      // names stay as they stand in the file
    bool tells_lines;        // source files and lines, where there is DWARF or Go's table
    bool tells_inlined;      // functions that the compiler put into others, by DWARF
};

// Names found go to `scratch`, files that were opened to `seen`; they and `unpacker`, which
// symbols are kept compressed for, are borrowed. NULL when out of memory.
struct file_names *file_names_create(const struct file_names_options *options,
                                     struct name_unpacker *unpacker, struct name_scratch *scratch,
                                     struct mapped_files *seen);
void file_names_destroy(struct file_names *names);

// Names the code at `address` of `process`, which `mapping`, a file's, holds: sets the
// name, and with `tells_lines` file and line where they are known. True for a symbol.
// Otherwise the name is the function's beginning, `[libfoo.so+0x1a0]`, or, where that is not
// known either, the file's: `[libfoo.so]`. Valid until file_names_trim.
bool file_names_find(struct file_names *names, const struct process *process,
                     struct process_mapping *mapping, uint64_t address, uint64_t now_ns,
                     struct frame *frame);

// The file that `mapping` is of, opened if that was not yet done, for places that are named
// the same in every process that maps it. 0 where it is not known, or names are not all that
// is told.
uint64_t file_names_file(struct file_names *names, const struct process *process,
                         struct process_mapping *mapping, uint64_t now_ns);

// The functions that were inlined at an address that file_names_find has named, as frames of
// their own, the innermost first; how many, `max` at most. `frame` is what it named: with
// `tells_lines` the innermost is at its line now, and it where it calls the outermost. Valid
// until file_names_trim.
uint32_t file_names_inlined(struct file_names *names, const struct process *process,
                            const struct process_mapping *mapping, uint64_t address,
                            struct frame *frame, struct frame *inlined, uint32_t max);

// A copy of a symbol's name of any origin, in its readable form where there is one.
struct text file_names_readable(struct file_names *names, struct text name);

// What stands behind the last slash.
struct text file_names_basename(struct text path);

// Drops what exceeds the limit. Call between two samples.
void file_names_trim(struct file_names *names);
// The limit is half of what is held from now on. Between two samples.
void file_names_shrink(struct file_names *names);

uint32_t file_names_count(const struct file_names *names);
size_t file_names_memory_bytes(const struct file_names *names);

#endif

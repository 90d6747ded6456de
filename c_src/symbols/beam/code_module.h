// SPDX-License-Identifier: Apache-2.0
// The code of one module, or of one fragment of the emulator: its functions and lines, as
// the symbol file that the VM makes for GDB has them (hostile input: every offset is
// checked). Names are of a string table that is there as long. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_MODULE_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_MODULE_H

#include "base/string_table.h"
#include "symbols/beam/code_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_MODULE_LOADED UINT32_MAX
#define CODE_MODULE_NOT_LISTED UINT32_MAX

struct code_function {
    uint32_t start; // offsets from the module's base
    uint32_t end;
    string_id name;
    string_id module_file; // where no line says better
    uint32_t first_line;
    uint32_t line_cnt;
};

struct code_line {
    uint32_t start;
    uint32_t line;
    string_id file;
};

struct code_module {
    struct code_key key;
    uint64_t content; // code_module_hash of its symbol file, of the head while that is unread
    bool is_read;
    uint64_t base;
    uint64_t end;
    uint32_t added;                  // generation it was first seen in
    uint32_t retired;                // generation it was gone in, or CODE_MODULE_LOADED
    uint32_t position;               // in the running refresh, newest first, or _NOT_LISTED
    struct code_function *functions; // by start
    uint32_t function_cnt;
    struct code_line *lines;
    uint32_t line_cnt;
};

// Reads the key's symbol file; who calls fills in `added` and `position`. NULL where it is
// malformed, takes more than `max_bytes`, or without memory.
struct code_module *code_module_create(const struct code_key *key, const void *symfile,
                                       struct string_table *strings, size_t max_bytes);
// Of the first bytes of the file alone, up to its name: no function is known until it is read.
struct code_module *code_module_create_unread(const struct code_key *key, const void *head,
                                              size_t head_bytes);
// Reads the symbol file now; may move into it what takes up to `max_bytes` in all. False where
// it is malformed, another's or too large.
bool code_module_read(struct code_module *module, const void *symfile, struct string_table *strings,
                      size_t max_bytes);
void code_module_destroy(struct code_module *module);

size_t code_module_bytes(const struct code_module *module);

// Of a symbol file. Two modules compiled alike differ in a name only: every byte counts.
uint64_t code_module_hash(const void *bytes, uint64_t byte_cnt);

// What is `offset` behind the module's base; NULL = nothing that is known.
const struct code_function *code_module_function(const struct code_module *module, uint32_t offset);
const struct code_line *code_module_line(const struct code_module *module,
                                         const struct code_function *function, uint32_t offset);

#endif

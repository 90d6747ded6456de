// SPDX-License-Identifier: Apache-2.0
// Names BEAM code addresses: module:function/arity, file and line, from copies
// of the symbol files the VM makes for GDB (hostile input: every offset is
// checked). Code that was unloaded or replaced stays known for samples taken
// before, by generation. Bounded memory. One thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_MAP_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_MAP_H

#include "base/error.h"
#include "base/text.h"
#include "symbols/beam/code_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Borrowed from the map, valid until code_map_destroy.
struct code_location {
    struct text name;        // as model/beam_name.h has it
    struct text file;        // "module.erl", without a path; "" = unknown
    uint32_t line;           // 0 = unknown
    uint32_t texts;          // number of the string table that has name and file
    uint64_t function_start; // identifies the function
    bool is_stub;            // code fragments of the emulator, not a function of a module
};

struct code_map;
struct string_table;

struct code_map *code_map_create(size_t max_bytes);
// With names that are somebody else's, and outlive it: the nodes of a host have most of
// their modules in common. They do not count against its limit.
struct code_map *code_map_create_sharing(size_t max_bytes, struct string_table *names);
void code_map_destroy(struct code_map *map);

// A refresh: begin, then code_map_has or code_map_add for each entry from the
// newest to the oldest, then end. `generation` is that of the newest entries.
// Begin again forgets what was added since.
void code_map_begin(struct code_map *map, uint32_t generation);
// The entries that follow were there in this (lower) generation already.
void code_map_set_generation(struct code_map *map, uint32_t generation);
// Surely known already? Then it stays, and need not be added.
bool code_map_has(struct code_map *map, const struct code_key *key);
// Parses a symbol file, unless it is known. False (counted) when it is malformed or
// does not fit.
bool code_map_add(struct code_map *map, const struct code_key *key, const void *symfile);
// The same of a file that is read when it is wanted; `head` is what it begins with, up to its
// name. False when that is malformed or longer: it is to be added as a whole.
bool code_map_add_unread(struct code_map *map, const struct code_key *key, const void *head,
                         size_t head_bytes);
// Is the whole file known that was listed so?
bool code_map_is_read(const struct code_map *map, const struct code_key *key);
void code_map_end(struct code_map *map);

// The file that is to be read for `address` to have a name; false when none is.
bool code_map_unread(const struct code_map *map, uint64_t address, struct code_key *key);
// Here it is. False (counted) when it is malformed, another's or does not fit.
bool code_map_read(struct code_map *map, uint64_t address, const void *symfile);

// Finds what was at `address` at `generation`.
bool code_map_find(const struct code_map *map, uint64_t address, uint32_t generation,
                   struct code_location *location_ret);

// Is the address where code is or was? Words on a stack that are none drop out.
bool code_map_covers(const struct code_map *map, uint64_t address);

// Calls `visit` for each named function of the loaded modules, by address, until it
// returns false; false then. Names are borrowed.
bool code_map_each_function(const struct code_map *map,
                            bool (*visit)(void *context, uint64_t start, uint64_t size_bytes,
                                          struct text name),
                            void *context);

// Bounds of the loaded modules, by address; `at` < code_map_module_cnt.
void code_map_module_bounds(const struct code_map *map, uint32_t at, uint64_t *start_ret,
                            uint64_t *end_ret);
uint32_t code_map_module_cnt(const struct code_map *map);
// Symbol files parsed so far.
uint64_t code_map_read_cnt(const struct code_map *map);
uint64_t code_map_refused_cnt(const struct code_map *map);
size_t code_map_memory_bytes(const struct code_map *map);

#endif

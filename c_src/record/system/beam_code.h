// SPDX-License-Identifier: Apache-2.0
// The functions of a running Erlang VM, from its memory: the list of JIT code that it
// keeps for GDB, always there on Linux. Of a module its functions are read when a place in it
// is wanted: hundreds are loaded, few run. Nothing need run in the VM, no flag be set.
// Everything read is foreign and may change meanwhile. Bounded. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_CODE_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_CODE_H

#include "base/string_table.h"
#include "symbols/beam/code_map.h"
#include "symbols/system/elf_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A zeroed struct knows nothing.
struct beam_code {
    uint32_t pid;
    uint64_t descriptor; // of the list, in the VM
    bool is_told;        // where it is; it was not looked for
    uint64_t first;      // entry at the last complete walk
    uint32_t generation; // of the code; rises with each walk that found it changed
    struct code_map *map;
    uint64_t *wanted; // places of late, by their low bits; 0 = free
};

// The list is at `told`, if there is one; else it is looked for in the data of `program`,
// which the VM has loaded `bias` above its addresses. False when there is none, or it may
// not be read. The names of functions go to `names`, which outlives it; NULL: it has its own.
bool beam_code_init(struct beam_code *code, uint32_t pid, uint64_t told,
                    const struct elf_file *program, uint64_t bias, size_t max_bytes,
                    struct string_table *names);
// Harmless twice and on a zeroed struct.
void beam_code_deinit(struct beam_code *code);

// Learns what was loaded since: one word is read when nothing was. False when it could not be
// read, as the VM is gone or the list did not hold still; what is known stays.
bool beam_code_refresh(struct beam_code *code);

// `address` is to have a name: reads the functions of its module, unless they are known.
void beam_code_want(struct beam_code *code, uint64_t address);

#endif

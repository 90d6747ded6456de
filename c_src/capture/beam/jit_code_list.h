// SPDX-License-Identifier: Apache-2.0
// The VM's list of JIT-compiled modules, kept for GDB and always there with the
// JIT on Linux (erts/emulator/beam/jit/beam_jit_metadata.cpp;
// https://sourceware.org/gdb/current/onlinedocs/gdb.html/Declarations.html).
// Entries may be unlinked and freed under us (OTP 27+): every read is safe, every
// step validated, a walk that met a change begins again. One thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_JIT_CODE_LIST_H
#define FLAME_PROF_CAPTURE_BEAM_JIT_CODE_LIST_H

#include "base/error.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/vm_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jit_code_list {
    uint64_t descriptor; // address of __jit_debug_descriptor
    uint64_t first;      // its first entry at the last complete walk
};

// What names an entry; the same triple is the same code as long as the entry
// stays in the list.
struct jit_code_entry {
    uint64_t address;
    uint64_t symfile;
    uint64_t symfile_bytes;
};

// Receives the walk, newest entry first. All called on the walking thread.
struct jit_code_visitor {
    void *context;
    void (*begin)(void *context); // a walk begins (again): forget the unfinished one
    bool (*wants)(void *context, const struct jit_code_entry *entry); // copy this one?
    void (*take)(void *context, const struct jit_code_entry *entry, const void *symfile);
};

enum { JIT_CODE_MAX_ENTRIES = 262144, JIT_CODE_MAX_SYMFILE_BYTES = 64 << 20 };

// By its exported symbol, else by structure in the emulator's static data.
bool jit_code_list_find(struct jit_code_list *list, const struct vm_memory *memory,
                        struct memory_reader *reader, struct error *err);

// Cheap (one 8-byte read): was code loaded since the last complete walk?
bool jit_code_list_changed(const struct jit_code_list *list, struct memory_reader *reader);

// False when the list did not hold still in several tries.
bool jit_code_list_walk(struct jit_code_list *list, struct memory_reader *reader,
                        const struct jit_code_visitor *visitor);

#endif

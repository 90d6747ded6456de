// SPDX-License-Identifier: Apache-2.0
// The ELF objects of this process: names its native functions and unwinds its C
// stacks. Copies what it needs while the loader cannot unload it; names come from
// the files' symbol tables, and where these are stripped from where functions
// begin. Bounded. One thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_NATIVE_CODE_H
#define FLAME_PROF_SYMBOLS_BEAM_NATIVE_CODE_H

#include "base/text.h"
#include "unwind/call_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct native_code;

// Borrowed until native_code_destroy.
struct native_location {
    struct text name;        // "lists_member_2", or "fn_0x1f3a0" where no symbol says
    struct text file;        // "beam.smp", "libc.so.6"
    uint64_t function_start; // 0 when unknown
    bool is_named;           // by a symbol
};

// Machine code as it lies in memory.
struct native_text {
    const unsigned char *bytes;
    size_t len;
    uint64_t address; // of the first
};

struct native_code *native_code_create(void);
void native_code_destroy(struct native_code *code);

// False when `pc` is in no object.
bool native_code_find(struct native_code *code, uint64_t pc, struct native_location *location_ret);

// The code of the program itself, which is never unloaded. False when it is in more than
// one piece.
bool native_code_program(struct native_code *code, struct native_text *text_ret);

// The program's function of that name; false when no symbol says.
bool native_code_program_function(struct native_code *code, const char *name, uint64_t *start_ret,
                                  uint64_t *end_ret);

// Does a function begin there, by its object's .eh_frame? Needs no symbols.
bool native_code_is_function(struct native_code *code, uint64_t address);

// As call_frame_unwind. CALL_FRAME_UNKNOWN also when `pc` is in no object.
enum call_frame_step native_code_unwind(struct native_code *code, uint64_t pc,
                                        const struct frame_memory *memory,
                                        struct frame_registers *registers, bool *is_signal_ret);

#endif

// SPDX-License-Identifier: Apache-2.0
// Call frame information (.eh_frame) of one ELF object: where a function's caller
// was and what its registers held. Interprets DWARF 4 section 6.4 as the System V
// ABI for x86-64 uses it
// (https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/ehframechpt.html).
// Hostile input: every offset is checked, every loop bounded. One thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CALL_FRAME_H
#define FLAME_PROF_SYMBOLS_BEAM_CALL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// DWARF register numbers of x86-64.
enum {
    FRAME_REGISTER_RBX = 3,
    FRAME_REGISTER_RBP = 6,
    FRAME_REGISTER_RSP = 7,
    FRAME_REGISTER_RIP = 16, // the return address column
    FRAME_REGISTER_CNT = 17,
};

struct frame_registers {
    uint64_t values[FRAME_REGISTER_CNT];
};

// Reads one word of the stack that is unwound; false when it is not known.
struct frame_memory {
    void *context;
    bool (*read)(void *context, uint64_t address, uint64_t *word_ret);
};

struct call_frame_function {
    uint64_t start;
    uint64_t end;   // exclusive
    uint32_t entry; // offset of its FDE
};

// Of one object; addresses are those of this process.
struct call_frame_table {
    unsigned char *bytes; // a copy of .eh_frame
    size_t len;
    uint64_t address;                      // where the original lies
    struct call_frame_function *functions; // by start
    uint32_t function_cnt;
};

// Copies the section and indexes it. False when out of memory or malformed from the
// first entry on.
bool call_frame_table_init(struct call_frame_table *table, const void *bytes, size_t len,
                           uint64_t address);
void call_frame_table_deinit(struct call_frame_table *table);

// The function that `pc` is in, NULL when none is known.
const struct call_frame_function *call_frame_find(const struct call_frame_table *table,
                                                  uint64_t pc);

enum call_frame_step { CALL_FRAME_CALLER, CALL_FRAME_OUTERMOST, CALL_FRAME_UNKNOWN };

// Turns the registers of a function at `pc` into those of its caller. `pc` is the
// register itself in the innermost frame (or below a signal frame), else one less.
enum call_frame_step call_frame_unwind(const struct call_frame_table *table, uint64_t pc,
                                       const struct frame_memory *memory,
                                       struct frame_registers *registers, bool *is_signal_ret);

#endif

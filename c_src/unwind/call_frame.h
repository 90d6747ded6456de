// SPDX-License-Identifier: Apache-2.0
// Call frame information (.eh_frame) of one ELF object: where a function's caller
// was and what its registers held. Interprets DWARF 4 section 6.4 as the System V
// ABI for x86-64 uses it
// (https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/ehframechpt.html).
// Hostile input: every offset is checked, every loop bounded. One thread.
#ifndef FLAME_PROF_UNWIND_CALL_FRAME_H
#define FLAME_PROF_UNWIND_CALL_FRAME_H

#include "unwind/cfi_expression.h"
#include "unwind/go_table.h"

struct call_frame_function {
    uint64_t start;
    uint64_t end;   // exclusive; by an index no later than the next one's start
    uint32_t entry; // offset of its FDE
};

// The code of .init or .fini, which nobody describes: one word is taken off the stack, and
// put back before the last byte.
struct call_frame_stub {
    uint64_t start;
    uint64_t body; // where the word was taken
    uint64_t end;  // exclusive
};

enum { CALL_FRAME_MAX_STUBS = 2 };

// Of one object; addresses are those of the section's.
struct call_frame_table {
    struct cfi_section section;            // a copy of .eh_frame; the address is the original's
    struct call_frame_function *functions; // by start
    uint32_t function_cnt;
    struct call_frame_stub stubs[CALL_FRAME_MAX_STUBS]; // by start; of no function
    uint32_t stub_cnt;
    const struct go_table *go; // borrowed; NULL: nothing of it is Go's
    uint64_t go_start;
    uint64_t go_end; // exclusive
};

// Copies the section and indexes it. False when out of memory or malformed from the
// first entry on.
bool call_frame_table_init(struct call_frame_table *table, const void *bytes, size_t len,
                           uint64_t address);
// The same without a copy: `bytes_take` is from malloc and becomes the table's, also
// on failure.
bool call_frame_table_take(struct call_frame_table *table, void *bytes_take, size_t len,
                           uint64_t address);
// The same, too, by the order that the file's own index has (.eh_frame_hdr, whose bytes are
// borrowed for this call): entries are not looked at. Without a use for the index, as above.
bool call_frame_table_take_indexed(struct call_frame_table *table, void *bytes_take, size_t len,
                                   uint64_t address, const struct cfi_section *header);
// Adds the code of a section when it is a stub's and lies behind those there are.
void call_frame_table_add_stub(struct call_frame_table *table, const void *code, size_t len,
                               uint64_t address);
void call_frame_table_deinit(struct call_frame_table *table);

// Adds the code that Go's own table describes, in one piece and behind the last piece that the
// section does or in front of the first. The table is borrowed.
void call_frame_table_add_go(struct call_frame_table *table, const struct go_table *go);

// Bounds of what is described, stubs and Go's code included; 0 when nothing is.
uint64_t call_frame_table_start(const struct call_frame_table *table);
uint64_t call_frame_table_end(const struct call_frame_table *table); // exclusive

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

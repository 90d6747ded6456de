// SPDX-License-Identifier: Apache-2.0
// The expressions of call frame information, as far as glibc, linkers and gcc write
// them: the PLT, signal trampolines, realigned frames. Bounded; any thread.
#ifndef FLAME_PROF_UNWIND_CFI_EXPRESSION_H
#define FLAME_PROF_UNWIND_CFI_EXPRESSION_H

#include "unwind/cfi_row.h"

// DWARF register numbers of x86-64.
enum {
    FRAME_REGISTER_RBX = 3,
    FRAME_REGISTER_RBP = 6,
    FRAME_REGISTER_RSP = 7,
    FRAME_REGISTER_RIP = 16, // the return address column
    FRAME_REGISTER_CNT = CFI_REGISTER_CNT,
};

struct frame_registers {
    uint64_t values[FRAME_REGISTER_CNT];
};

// Reads one word of the stack that is unwound; false when it is not known.
struct frame_memory {
    void *context;
    bool (*read)(void *context, uint64_t address, uint64_t *word_ret);
};

// The value of the block at `block`, with `first` on the stack unless it is NULL.
bool cfi_evaluate(const struct cfi_section *section, size_t block,
                  const struct frame_registers *registers, const struct frame_memory *memory,
                  const uint64_t *first, uint64_t *value_ret);

#endif

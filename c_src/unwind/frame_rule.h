// SPDX-License-Identifier: Apache-2.0
// How to get from a frame to its caller at one place of a program, in the few words
// that x86-64 code needs: a row of call frame information, made small. What does not
// fit is FRAME_CFA_NONE, and the unwinder tries the frame pointer.
#ifndef FLAME_PROF_UNWIND_FRAME_RULE_H
#define FLAME_PROF_UNWIND_FRAME_RULE_H

#include "unwind/call_frame.h"

// The order is that of enum unwind_cfa in bpf/unwind_table.h (asserted in
// capture/system/unwind_store.c).
enum frame_cfa {
    FRAME_CFA_NONE,     // nothing is known here
    FRAME_CFA_SP,       // rsp + cfa_offset
    FRAME_CFA_FP,       // rbp + cfa_offset
    FRAME_CFA_DEREF_SP, // the word at rsp + cfa_offset, plus deref_add
    FRAME_CFA_DEREF_FP, // the word at rbp + cfa_offset, plus deref_add
    FRAME_CFA_PLT,      // rsp + 8, + 8 from byte cfa_offset of the 16-byte entry on
    FRAME_CFA_R10,      // these three hold in the innermost frame only
    FRAME_CFA_RAX,
    FRAME_CFA_R11,
    FRAME_CFA_SIGNAL,      // the kernel's signal frame: all registers are at rsp
    FRAME_CFA_END,         // the outermost frame
    FRAME_CFA_RBX,         // rbx + cfa_offset
    FRAME_CFA_OTHER_STACK, // by the frame pointer, which may lead to another stack
    FRAME_CFA_CNT
};

enum frame_fp {
    FRAME_FP_SAME,    // the caller's rbp is in rbp
    FRAME_FP_AT_CFA,  // at CFA + fp_offset
    FRAME_FP_AT_FP,   // at rbp + fp_offset
    FRAME_FP_UNKNOWN, // lost
};

// Of 16 bytes without padding: two are equal when their bytes are.
struct frame_rule {
    int32_t cfa_offset;
    uint8_t cfa; // enum frame_cfa
    uint8_t fp;  // enum frame_fp
    int16_t fp_offset;
    int16_t
        r13_offset; // r13, which holds a BEAM scheduler's process, is at CFA plus this; 0 = kept
    int16_t return_offset; // the return address is at CFA plus this
    int16_t deref_add;
    int16_t rbx_offset; // as r13_offset
};

// From `pc` on `rule` holds, up to the next row; rows rise. False ends it.
typedef bool (*frame_rule_visitor)(void *context, uint64_t pc, const struct frame_rule *rule);

enum frame_cfa frame_cfa_of_register(uint64_t number);

struct frame_rule frame_rule_of_row(const struct cfi_section *section, const struct cfi_row *row,
                                    bool is_signal);

#endif

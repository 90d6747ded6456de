// SPDX-License-Identifier: Apache-2.0
// The rules of one function by a short way, for the few instructions that compilers
// write nearly all functions with: a tenth of the time that cfi_row.h takes, which has
// to read the others. Says the same. Hostile input. One owner, one thread.
#ifndef FLAME_PROF_UNWIND_FUNCTION_RULES_H
#define FLAME_PROF_UNWIND_FUNCTION_RULES_H

#include "unwind/frame_rule.h"

enum { FUNCTION_RULES_MAX_ROWS = 512 };

// What rules are made of, at one place. Registers without a bit in `saved` are kept.
struct function_state {
    uint8_t cfa; // enum frame_cfa
    uint8_t saved;
    int32_t cfa_offset;
    int16_t offsets[4]; // from the CFA
};

struct function_row {
    uint64_t start;
    struct frame_rule rule;
};

struct function_rules {
    struct function_row rows[FUNCTION_RULES_MAX_ROWS]; // by rising address
    uint32_t row_cnt;
    struct function_state initial; // what the CIE says
    size_t cie_end;                // of the CIE that was read last; 0 = none
    bool is_cie_short;
};

void function_rules_init(struct function_rules *rules);

// False: it is not one of those, or malformed.
bool function_rules_read(struct function_rules *rules, const struct cfi_section *section,
                         const struct cfi_fde *fde);

#endif

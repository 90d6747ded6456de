// SPDX-License-Identifier: Apache-2.0
// What the instructions of a function's entry say for each of its places: where its
// frame is and where its caller's registers are. Bounded; any thread.
#ifndef FLAME_PROF_UNWIND_CFI_ROW_H
#define FLAME_PROF_UNWIND_CFI_ROW_H

#include "unwind/cfi_entry.h"

enum { CFI_REGISTER_CNT = 17 }; // those of x86-64: 16 and the return address

enum cfi_rule_kind {
    CFI_RULE_SAME,
    CFI_RULE_UNDEFINED,
    CFI_RULE_AT_CFA,        // saved at the CFA plus `offset`
    CFI_RULE_REGISTER,      // is in register `offset`
    CFI_RULE_EXPRESSION,    // saved where the expression says
    CFI_RULE_IS_CFA,        // the CFA plus `offset` itself
    CFI_RULE_IS_EXPRESSION, // what the expression says
};

struct cfi_rule {
    enum cfi_rule_kind kind;
    int64_t offset;
    size_t expression; // position of its length
};

struct cfi_row {
    bool cfa_is_expression;
    uint64_t cfa_register; // CFI_REGISTER_CNT = none was named
    int64_t cfa_offset;
    size_t cfa_expression;
    struct cfi_rule rules[CFI_REGISTER_CNT];
};

// Places from `start` up to `end` have this row. False ends it.
typedef bool (*cfi_row_visitor)(void *context, uint64_t start, uint64_t end,
                                const struct cfi_row *row);

// By rising address. False when the instructions are malformed; what was visited
// until then stands.
bool cfi_each_row(const struct cfi_section *section, const struct cfi_fde *fde,
                  cfi_row_visitor visit, void *context);

bool cfi_find_row(const struct cfi_section *section, const struct cfi_fde *fde, uint64_t pc,
                  struct cfi_row *row_ret);

#endif

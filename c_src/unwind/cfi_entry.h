// SPDX-License-Identifier: Apache-2.0
// Entries of .eh_frame: common information (CIE) and functions (FDE). Hostile input.
// Plain data; any thread.
#ifndef FLAME_PROF_UNWIND_CFI_ENTRY_H
#define FLAME_PROF_UNWIND_CFI_ENTRY_H

#include "unwind/cfi_cursor.h"

enum { CFI_RETURN_COLUMN = 16 }; // DWARF number of x86-64's rip

struct cfi_cie {
    uint64_t code_alignment;
    int64_t data_alignment;
    uint64_t return_column;
    uint8_t pointer_encoding;
    bool has_augmentation_data;
    bool is_signal;
    size_t at; // of the entry
    size_t instructions;
    size_t end;
};

// Zeroed before its first use.
struct cfi_fde {
    struct cfi_cie cie;
    uint64_t start;
    uint64_t end;
    size_t instructions;
    size_t instructions_end;
};

// A cursor over the entry at `at`, behind its length; `next_ret` is what follows it.
struct cfi_cursor cfi_open_entry(const struct cfi_section *section, size_t at, size_t *next_ret);

// The function's entry at `at`, with its CIE. False when it is no such entry, or
// malformed. The CIE that is in `fde` from the last call is not read again.
bool cfi_parse_fde(const struct cfi_section *section, size_t at, struct cfi_fde *fde);

#endif

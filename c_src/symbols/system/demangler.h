// SPDX-License-Identifier: Apache-2.0
// C++ and Rust names as people write them, without parameters and hashes. The work
// is libiberty's, which knows both kinds of each; here it is kept within bounds, as
// names are hostile: some would print for hours. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_DEMANGLER_H
#define FLAME_PROF_SYMBOLS_SYSTEM_DEMANGLER_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DEMANGLER_MAX_INPUT_BYTES = 1024, // longer ones stay as they are
    // What is longer is cut, and "..." stands at the end. Room for big templates.
    DEMANGLER_MAX_OUTPUT_BYTES = 2048,
};

// A zeroed struct is ready.
struct demangler {
    char output[DEMANGLER_MAX_OUTPUT_BYTES];
    uint32_t output_len;
    uint32_t cut_cnt; // names that were cut
};

// The readable form of `*name` in its place, valid until the next call. False, and
// `*name` as it was, when it is no such name, or a malformed one.
bool demangler_demangle(struct demangler *demangler, struct text *name);

#endif

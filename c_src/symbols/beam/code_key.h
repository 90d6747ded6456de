// SPDX-License-Identifier: Apache-2.0
// What tells one loaded piece of code from another without reading it.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_KEY_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_KEY_H

#include <stdbool.h>
#include <stdint.h>

// Where a loaded piece of code is listed. Freed and loaded anew in one place, other
// code may have an equal key (OTP 27): its content tells.
struct code_key {
    uint64_t entry;
    uint64_t symfile;
    uint64_t symfile_bytes;
};

static inline bool code_key_equal(const struct code_key *a, const struct code_key *b)
{
    return a->entry == b->entry && a->symfile == b->symfile && a->symfile_bytes == b->symfile_bytes;
}

#endif

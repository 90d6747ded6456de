// SPDX-License-Identifier: Apache-2.0
// Source files and lines of a Go program's code by the table of its functions. Hostile input.
// One thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_GO_LINES_H
#define FLAME_PROF_SYMBOLS_SYSTEM_GO_LINES_H

#include "unwind/go_table.h"

struct go_line {
    uint64_t address;
    struct text path; // in the table, NUL-terminated; of one file always the same; empty: unknown
    uint32_t line;    // 0: unknown
    bool ends;        // the first address behind the code of this function
};

// False ends it.
typedef bool (*go_lines_take)(void *context, const struct go_line *line);

// From the last function to the first, as a program's own code is linked behind what it uses;
// each by rising address from its first place to where it ends. 4 million places at most,
// and one for every 4 bytes of the table, which is more than real ones have.
void go_lines_each(const struct go_table *table, go_lines_take take, void *context);

#endif

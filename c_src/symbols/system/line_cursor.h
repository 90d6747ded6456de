// SPDX-License-Identifier: Apache-2.0
// Reads the numbers of DWARF from bytes that nobody vouches for: what is not there is 0,
// and the cursor has failed from then on.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_LINE_CURSOR_H
#define FLAME_PROF_SYMBOLS_SYSTEM_LINE_CURSOR_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool has_failed;
};

uint64_t line_cursor_number(struct line_cursor *cursor, unsigned bytes); // 1 to 8
uint64_t line_cursor_uleb(struct line_cursor *cursor);
int64_t line_cursor_sleb(struct line_cursor *cursor);
// Up to its NUL, which is skipped.
struct text line_cursor_string(struct line_cursor *cursor);
void line_cursor_skip(struct line_cursor *cursor, uint64_t bytes);
// The next `bytes` as a cursor of their own; skipped here.
struct line_cursor line_cursor_part(struct line_cursor *cursor, uint64_t bytes);

#endif

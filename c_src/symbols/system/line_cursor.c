// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/line_cursor.h"

#include <string.h>

static size_t left(const struct line_cursor *cursor)
{
    return cursor->has_failed ? 0 : (size_t)(cursor->end - cursor->at);
}

static bool fail(struct line_cursor *cursor)
{
    cursor->has_failed = true;
    cursor->at = cursor->end;
    return false;
}

uint64_t line_cursor_number(struct line_cursor *cursor, unsigned bytes)
{
    uint64_t number = 0;
    if (left(cursor) < bytes) {
        (void)fail(cursor);
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) {
        number |= (uint64_t)*cursor->at++ << 8 * i;
    }
    return number;
}

uint64_t line_cursor_uleb(struct line_cursor *cursor)
{
    uint64_t number = 0;
    for (unsigned shift = 0; left(cursor) > 0; shift += 7) {
        unsigned char byte = *cursor->at++;
        number |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if ((byte & 0x80) == 0) {
            return number;
        }
    }
    (void)fail(cursor);
    return 0;
}

int64_t line_cursor_sleb(struct line_cursor *cursor)
{
    uint64_t number = 0;
    for (unsigned shift = 0; left(cursor) > 0;) {
        unsigned char byte = *cursor->at++;
        number |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        shift += 7;
        if ((byte & 0x80) == 0) {
            bool is_negative = (byte & 0x40) != 0 && shift < 64;
            return (int64_t)(is_negative ? number | ~0ULL << shift : number);
        }
    }
    (void)fail(cursor);
    return 0;
}

struct text line_cursor_string(struct line_cursor *cursor)
{
    const unsigned char *nul = left(cursor) == 0 ? NULL : memchr(cursor->at, 0, left(cursor));
    if (nul == NULL) {
        (void)fail(cursor);
        return (struct text){"", 0};
    }
    struct text text = {(const char *)cursor->at, (uint32_t)(nul - cursor->at)};
    cursor->at = nul + 1;
    return text;
}

void line_cursor_skip(struct line_cursor *cursor, uint64_t bytes)
{
    (void)line_cursor_part(cursor, bytes);
}

struct line_cursor line_cursor_part(struct line_cursor *cursor, uint64_t bytes)
{
    if (left(cursor) < bytes) {
        (void)fail(cursor);
        return *cursor;
    }
    struct line_cursor part = {.at = cursor->at, .end = cursor->at + bytes};
    cursor->at += bytes;
    return part;
}

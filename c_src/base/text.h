// SPDX-License-Identifier: Apache-2.0
// A borrowed run of bytes, usually UTF-8, not NUL-terminated.
#ifndef FLAME_PROF_BASE_TEXT_H
#define FLAME_PROF_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *bytes; // NULL only when len is 0
    uint32_t len;
};

#define TEXT(literal) ((struct text){(literal), (uint32_t)(sizeof(literal) - 1)})

static inline struct text text_of(const char *string)
{
    return (struct text){string, string == NULL ? 0 : (uint32_t)strlen(string)};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static inline bool text_begins_with(struct text text, struct text begin)
{
    return text.len >= begin.len &&
           (begin.len == 0 || memcmp(text.bytes, begin.bytes, begin.len) == 0);
}

static inline bool text_ends_with(struct text text, struct text end)
{
    return text.len >= end.len &&
           (end.len == 0 || memcmp(text.bytes + text.len - end.len, end.bytes, end.len) == 0);
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Reads numbers from hostile bytes: beyond the end, or where a number is none, it
// gives 0 and remembers it in `is_bad`. One owner, one thread.
#ifndef FLAME_PROF_BASE_BYTE_CURSOR_H
#define FLAME_PROF_BASE_BYTE_CURSOR_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool is_bad;
};

static inline struct byte_cursor byte_cursor_of(const void *bytes, size_t len)
{
    return (struct byte_cursor){bytes, (const unsigned char *)bytes + len, false};
}

static inline size_t byte_cursor_left(const struct byte_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

// The next `len` bytes, NULL when there are fewer.
static inline const unsigned char *byte_cursor_take(struct byte_cursor *cursor, size_t len)
{
    const unsigned char *bytes = cursor->at;
    if (len > byte_cursor_left(cursor)) {
        cursor->is_bad = true;
        cursor->at = cursor->end;
        return NULL;
    }
    cursor->at += len;
    return bytes;
}

static inline uint8_t byte_cursor_u8(struct byte_cursor *cursor)
{
    if (cursor->at == cursor->end) {
        cursor->is_bad = true;
        return 0;
    }
    return *cursor->at++;
}

static inline uint32_t byte_cursor_u32(struct byte_cursor *cursor)
{
    uint32_t value = 0;
    const unsigned char *bytes = byte_cursor_take(cursor, sizeof value);
    if (bytes != NULL) {
        memcpy(&value, bytes, sizeof value);
    }
    return value;
}

// LEB128, at most 10 bytes.
static inline uint64_t byte_cursor_varint(struct byte_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end) {
            break;
        }
        unsigned char byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    cursor->is_bad = true;
    return 0;
}

// Small numbers of either sign are short: 0, -1, 1, -2...
static inline int64_t byte_cursor_signed(struct byte_cursor *cursor)
{
    uint64_t value = byte_cursor_varint(cursor);
    return (int64_t)(value >> 1 ^ -(value & 1));
}

// A length and so many bytes. Borrowed.
static inline struct text byte_cursor_text(struct byte_cursor *cursor)
{
    uint64_t len = byte_cursor_varint(cursor);
    const unsigned char *bytes = len > UINT32_MAX ? NULL : byte_cursor_take(cursor, (size_t)len);
    cursor->is_bad |= bytes == NULL;
    return bytes == NULL ? TEXT("") : (struct text){(const char *)bytes, (uint32_t)len};
}

#endif

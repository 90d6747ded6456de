// SPDX-License-Identifier: Apache-2.0
// The bytes of a section of call frame information (.eh_frame), read with every
// step checked. Plain data; any thread.
#ifndef FLAME_PROF_UNWIND_CFI_CURSOR_H
#define FLAME_PROF_UNWIND_CFI_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_section {
    const unsigned char *bytes;
    size_t len;
    uint64_t address; // of its first byte, in the address space its pointers are of
};

// A place in the section; `ok` stays false once something was out of bounds, and
// what is taken from then on is 0.
struct cfi_cursor {
    const struct cfi_section *section;
    size_t at;
    size_t end;
    bool ok;
};

// At most 8, little-endian. Inline, as of one file there are a million to take.
static inline uint64_t cfi_take_bytes(struct cfi_cursor *cursor, size_t cnt)
{
    uint64_t value = 0;
    if (!cursor->ok || cnt > cursor->end - cursor->at) {
        cursor->ok = false;
        return 0;
    }
    memcpy(&value, cursor->section->bytes + cursor->at, cnt);
    cursor->at += cnt;
    return value;
}

static inline uint8_t cfi_take_u8(struct cfi_cursor *cursor)
{
    return (uint8_t)cfi_take_bytes(cursor, 1);
}

static inline uint64_t cfi_take_uleb(struct cfi_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->ok; shift += 7) {
        uint8_t byte = cfi_take_u8(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    cursor->ok = false;
    return 0;
}

int64_t cfi_take_sleb(struct cfi_cursor *cursor);
// DW_EH_PE_*; neither indirect nor relative to anything but itself.
uint64_t cfi_take_pointer(struct cfi_cursor *cursor, uint8_t encoding);
// Passes over a block; returns where its length stands.
size_t cfi_skip_block(struct cfi_cursor *cursor);

#endif

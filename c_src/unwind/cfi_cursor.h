// SPDX-License-Identifier: Apache-2.0
// The bytes of a section of call frame information (.eh_frame), read with every
// step checked. Plain data; any thread.
#ifndef FLAME_PROF_UNWIND_CFI_CURSOR_H
#define FLAME_PROF_UNWIND_CFI_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

uint64_t cfi_take_bytes(struct cfi_cursor *cursor, size_t cnt); // at most 8, little-endian
uint8_t cfi_take_u8(struct cfi_cursor *cursor);
uint64_t cfi_take_uleb(struct cfi_cursor *cursor);
int64_t cfi_take_sleb(struct cfi_cursor *cursor);
// DW_EH_PE_*; neither indirect nor relative to anything but itself.
uint64_t cfi_take_pointer(struct cfi_cursor *cursor, uint8_t encoding);
// Passes over a block; returns where its length stands.
size_t cfi_skip_block(struct cfi_cursor *cursor);

#endif

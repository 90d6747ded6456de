// SPDX-License-Identifier: Apache-2.0
#include "unwind/cfi_cursor.h"

int64_t cfi_take_sleb(struct cfi_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->ok;) {
        uint8_t byte = cfi_take_u8(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
        if ((byte & 0x80) == 0) {
            bool negative = (byte & 0x40) != 0 && shift < 64;
            return (int64_t)(negative ? value | (~0ULL << shift) : value);
        }
    }
    cursor->ok = false;
    return 0;
}

// DW_EH_PE_*: the low nibble is the format, the next what it is relative to.
uint64_t cfi_take_pointer(struct cfi_cursor *cursor, uint8_t encoding)
{
    uint64_t here = cursor->section->address + cursor->at;
    uint64_t value = 0;
    switch (encoding & 0x0F) {
    case 0x00: // absptr
    case 0x04: // udata8
    case 0x0C: // sdata8
        value = cfi_take_bytes(cursor, 8);
        break;
    case 0x02: // udata2
        value = cfi_take_bytes(cursor, 2);
        break;
    case 0x0A: // sdata2
        value = (uint64_t)(int64_t)(int16_t)cfi_take_bytes(cursor, 2);
        break;
    case 0x03: // udata4
        value = cfi_take_bytes(cursor, 4);
        break;
    case 0x0B: // sdata4
        value = (uint64_t)(int64_t)(int32_t)cfi_take_bytes(cursor, 4);
        break;
    default:
        cursor->ok = false;
        return 0;
    }
    uint8_t base = encoding & 0x70;
    cursor->ok = cursor->ok && (base == 0x00 || base == 0x10);
    return base == 0x10 ? value + here : value;
}

size_t cfi_skip_block(struct cfi_cursor *cursor)
{
    size_t at = cursor->at;
    uint64_t len = cfi_take_uleb(cursor);
    cursor->ok = cursor->ok && len <= cursor->end - cursor->at;
    cursor->at += cursor->ok ? len : 0;
    return at;
}

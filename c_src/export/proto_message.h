// SPDX-License-Identifier: Apache-2.0
// Protocol buffers' wire format, as far as profiles need it: varints, fixed 64-bit
// numbers, bytes, messages in messages. Appends to a byte_buffer, whose `overflowed`
// tells at the end whether all of it fitted. One owner, one thread.
// https://protobuf.dev/programming-guides/encoding/
#ifndef FLAME_PROF_EXPORT_PROTO_MESSAGE_H
#define FLAME_PROF_EXPORT_PROTO_MESSAGE_H

#include "base/byte_buffer.h"

// Numbers that are 0 are left out, as the default they are.
void proto_number(struct byte_buffer *message, uint32_t field, uint64_t value);
void proto_fixed64(struct byte_buffer *message, uint32_t field, uint64_t value);
// Also 0, of a field that is one of several.
void proto_number_element(struct byte_buffer *message, uint32_t field, uint64_t value);
// Left out when empty, but for elements of a repeated field.
void proto_text(struct byte_buffer *message, uint32_t field, struct text text);
void proto_element(struct byte_buffer *message, uint32_t field, struct text text);

// An element that is UTF-8 whatever `text` is; `scratch` is cleared.
void proto_utf8(struct byte_buffer *message, uint32_t field, struct text text,
                struct byte_buffer *scratch);

// A bare number where its room is reserved: at most so many bytes. Returns the place behind.
enum { PROTO_VARINT_MAX_BYTES = 10 };
static inline char *proto_put_varint(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (char)(value | 0x80);
    }
    *at++ = (char)value;
    return at;
}

// A bare number: of a packed field.
void proto_varint(struct byte_buffer *message, uint64_t value);
size_t proto_varint_len(uint64_t value);
// The head of a field of `len` bytes, which the caller appends.
void proto_open(struct byte_buffer *message, uint32_t field, size_t len);

// A message, or a packed field, that is made apart: appended as `field`, then cleared.
void proto_submessage(struct byte_buffer *message, uint32_t field, struct byte_buffer *part);

#endif

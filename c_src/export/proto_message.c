// SPDX-License-Identifier: Apache-2.0
#include "export/proto_message.h"

#include "base/utf8.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

void proto_varint(struct byte_buffer *message, uint64_t value)
{
    char *at = byte_buffer_reserve(message, PROTO_VARINT_MAX_BYTES);
    if (at != NULL) {
        byte_buffer_commit(message, proto_put_varint(at, value));
    }
}

size_t proto_varint_len(uint64_t value)
{
    return value == 0 ? 1 : (size_t)(64 - __builtin_clzll(value) + 6) / 7;
}

static void key(struct byte_buffer *message, uint32_t field, uint32_t wire)
{
    proto_varint(message, field << 3 | wire);
}

void proto_number_element(struct byte_buffer *message, uint32_t field, uint64_t value)
{
    key(message, field, WIRE_VARINT);
    proto_varint(message, value);
}

void proto_number(struct byte_buffer *message, uint32_t field, uint64_t value)
{
    if (value != 0) {
        proto_number_element(message, field, value);
    }
}

void proto_fixed64(struct byte_buffer *message, uint32_t field, uint64_t value)
{
    char bytes[8];
    if (value == 0) {
        return;
    }
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(value >> 8 * i);
    }
    key(message, field, WIRE_FIXED64);
    (void)byte_buffer_append(message, bytes, sizeof bytes);
}

void proto_open(struct byte_buffer *message, uint32_t field, size_t len)
{
    key(message, field, WIRE_BYTES);
    proto_varint(message, len);
}

void proto_element(struct byte_buffer *message, uint32_t field, struct text text)
{
    proto_open(message, field, text.len);
    (void)byte_buffer_append_text(message, text);
}

void proto_text(struct byte_buffer *message, uint32_t field, struct text text)
{
    if (text.len > 0) {
        proto_element(message, field, text);
    }
}

void proto_utf8(struct byte_buffer *message, uint32_t field, struct text text,
                struct byte_buffer *scratch)
{
    if (utf8_is_valid(text)) {
        proto_element(message, field, text);
        return;
    }
    byte_buffer_clear(scratch);
    message->overflowed |= !utf8_append_valid(scratch, text);
    proto_element(message, field, (struct text){scratch->bytes, (uint32_t)scratch->len});
}

void proto_submessage(struct byte_buffer *message, uint32_t field, struct byte_buffer *part)
{
    proto_open(message, field, part->len);
    (void)byte_buffer_append(message, part->bytes, part->len);
    message->overflowed = message->overflowed || part->overflowed;
    byte_buffer_clear(part);
}

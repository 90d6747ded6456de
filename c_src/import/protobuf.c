// SPDX-License-Identifier: Apache-2.0
#include "import/protobuf.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

bool protobuf_next(struct byte_cursor *cursor, struct protobuf_field *field)
{
    if (cursor->is_bad || byte_cursor_left(cursor) == 0) {
        return false;
    }
    uint64_t tag = byte_cursor_varint(cursor);
    *field = (struct protobuf_field){.number = (uint32_t)(tag >> 3), .is_bytes = false};
    switch (tag & 7) {
    case VARINT:
        field->value = byte_cursor_varint(cursor);
        break;
    case FIXED64: {
        const unsigned char *bytes = byte_cursor_take(cursor, 8);
        if (bytes != NULL) {
            memcpy(&field->value, bytes, 8);
        }
        break;
    }
    case BYTES:
        field->is_bytes = true;
        field->bytes = byte_cursor_text(cursor);
        break;
    case FIXED32:
        field->value = byte_cursor_u32(cursor);
        break;
    default:
        cursor->is_bad = true;
        break;
    }
    return !cursor->is_bad;
}

bool protobuf_numbers(const struct protobuf_field *field, protobuf_number_fn take, void *context)
{
    if (!field->is_bytes) {
        take(context, field->value);
        return true;
    }
    struct byte_cursor cursor = byte_cursor_of(field->bytes.bytes, field->bytes.len);
    while (byte_cursor_left(&cursor) > 0 && !cursor.is_bad) {
        uint64_t number = byte_cursor_varint(&cursor);
        if (!cursor.is_bad) {
            take(context, number);
        }
    }
    return !cursor.is_bad;
}

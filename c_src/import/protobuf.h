// SPDX-License-Identifier: Apache-2.0
// The fields of a protobuf message, one after the other. Pure.
#ifndef FLAME_PROF_IMPORT_PROTOBUF_H
#define FLAME_PROF_IMPORT_PROTOBUF_H

#include "base/byte_cursor.h"

struct protobuf_field {
    uint32_t number;
    bool is_bytes;     // a message, string or packed numbers
    uint64_t value;    // of a number
    struct text bytes; // borrowed
};

// The next field; false at the end, and where the bytes are none (cursor->is_bad).
bool protobuf_next(struct byte_cursor *cursor, struct protobuf_field *field);

// Calls back for each number of a repeated field, packed or not. False when broken.
typedef void (*protobuf_number_fn)(void *context, uint64_t number);
bool protobuf_numbers(const struct protobuf_field *field, protobuf_number_fn take, void *context);

#endif

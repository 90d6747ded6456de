// SPDX-License-Identifier: Apache-2.0
// The string table of a protobuf profile: index 0 is the empty string, others are given
// in the order of first use. Strings are UTF-8, as protobuf wants them. One owner, one
// thread.
#ifndef FLAME_PROF_EXPORT_PROTO_STRINGS_H
#define FLAME_PROF_EXPORT_PROTO_STRINGS_H

#include "export/proto_message.h"
#include "model/profile.h"

struct proto_strings {
    const struct profile *profile; // borrowed
    struct byte_buffer *out;       // borrowed: the message that has the table
    uint32_t field;                // of that message
    struct string_table *own;      // strings that the profile has not got
    uint32_t *index;               // by string_id; 0 = not used yet
    uint32_t *own_index;           // by id in `own`
    uint32_t cnt;
    struct byte_buffer valid; // scratch
};

// False when out of memory; _deinit is harmless either way.
bool proto_strings_init(struct proto_strings *strings, const struct profile *profile,
                        struct byte_buffer *out, uint32_t field);
void proto_strings_deinit(struct proto_strings *strings);

// Index of a string of the profile, or of any.
uint32_t proto_strings_id(struct proto_strings *strings, string_id id);
uint32_t proto_strings_text(struct proto_strings *strings, struct text text);

#endif

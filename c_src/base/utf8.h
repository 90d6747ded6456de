// SPDX-License-Identifier: Apache-2.0
// UTF-8, byte by byte (Unicode 15, table 3-7). Any thread.
#ifndef FLAME_PROF_BASE_UTF8_H
#define FLAME_PROF_BASE_UTF8_H

#include "base/byte_buffer.h"
#include "base/text.h"

// Bytes of the character at the front of `bytes`, which is not empty; 0 when it is none.
uint32_t utf8_len(struct text bytes);

// Appends `text` with U+FFFD in place of every byte that belongs to no character. False
// when the buffer refuses.
bool utf8_append_valid(struct byte_buffer *out, struct text text);

// Whether all of it is characters.
bool utf8_is_valid(struct text text);

#endif

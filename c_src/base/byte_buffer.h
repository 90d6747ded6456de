// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes with a limit: what does not fit is refused whole and
// remembered in `overflowed`. One owner, one thread.
#ifndef FLAME_PROF_BASE_BYTE_BUFFER_H
#define FLAME_PROF_BASE_BYTE_BUFFER_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_buffer {
    char *bytes;
    size_t len;
    size_t capacity;
    size_t max_bytes;
    bool overflowed; // sticky until byte_buffer_clear
};

// Allocates nothing yet. `max_bytes` > 0.
void byte_buffer_init(struct byte_buffer *buffer, size_t max_bytes);
// A zeroed struct is fine; twice is harmless.
void byte_buffer_deinit(struct byte_buffer *buffer);

// Forgets the content, keeps the memory.
void byte_buffer_clear(struct byte_buffer *buffer);

// Drops everything behind `len` (<= buffer->len): undoes a half-written record.
void byte_buffer_truncate(struct byte_buffer *buffer, size_t len);

// The appenders return false, and append nothing, when the limit or the memory
// is exhausted.
bool byte_buffer_append(struct byte_buffer *buffer, const void *bytes, size_t len);
bool byte_buffer_append_text(struct byte_buffer *buffer, struct text text);
bool byte_buffer_append_char(struct byte_buffer *buffer, char c);
bool byte_buffer_append_u64(struct byte_buffer *buffer, uint64_t value);
bool byte_buffer_append_i64(struct byte_buffer *buffer, int64_t value);
// At least `min_digits` lower-case hexadecimal digits.
bool byte_buffer_append_hex(struct byte_buffer *buffer, uint64_t value, unsigned min_digits);
bool byte_buffer_append_format(struct byte_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// For what is written piece by piece: room for `max_len` bytes behind the content,
// NULL when the limit or the memory is exhausted. What was written there counts
// with byte_buffer_commit, whose `end` is behind the last byte.
char *byte_buffer_reserve(struct byte_buffer *buffer, size_t max_len);
void byte_buffer_commit(struct byte_buffer *buffer, const char *end);

#endif

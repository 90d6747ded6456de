// SPDX-License-Identifier: Apache-2.0
#include "base/byte_buffer.h"

#include "base/decimal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void byte_buffer_init(struct byte_buffer *buffer, size_t max_bytes)
{
    *buffer = (struct byte_buffer){.max_bytes = max_bytes};
}

void byte_buffer_deinit(struct byte_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct byte_buffer){.max_bytes = buffer->max_bytes};
}

void byte_buffer_clear(struct byte_buffer *buffer)
{
    buffer->len = 0;
    buffer->overflowed = false;
}

void byte_buffer_truncate(struct byte_buffer *buffer, size_t len)
{
    if (len < buffer->len) {
        buffer->len = len;
    }
}

static bool refuse(struct byte_buffer *buffer)
{
    buffer->overflowed = true;
    return false;
}

static bool reserve(struct byte_buffer *buffer, size_t extra)
{
    if (extra <= buffer->capacity - buffer->len) {
        return true;
    }
    if (extra > buffer->max_bytes - buffer->len) {
        return refuse(buffer);
    }
    size_t wanted = buffer->capacity == 0 ? 256 : buffer->capacity;
    while (wanted - buffer->len < extra) {
        wanted *= 2;
    }
    if (wanted > buffer->max_bytes) {
        wanted = buffer->max_bytes;
    }
    char *grown = realloc(buffer->bytes, wanted + 1); // room for vsnprintf's NUL
    if (grown == NULL) {
        return refuse(buffer);
    }
    buffer->bytes = grown;
    buffer->capacity = wanted;
    return true;
}

bool byte_buffer_append(struct byte_buffer *buffer, const void *bytes, size_t len)
{
    if (len == 0) {
        return true;
    }
    if (!reserve(buffer, len)) {
        return false;
    }
    memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
    return true;
}

bool byte_buffer_append_text(struct byte_buffer *buffer, struct text text)
{
    return byte_buffer_append(buffer, text.bytes, text.len);
}

bool byte_buffer_append_char(struct byte_buffer *buffer, char c)
{
    return byte_buffer_append(buffer, &c, 1);
}

char *byte_buffer_reserve(struct byte_buffer *buffer, size_t max_len)
{
    return reserve(buffer, max_len) ? buffer->bytes + buffer->len : NULL;
}

void byte_buffer_commit(struct byte_buffer *buffer, const char *end)
{
    buffer->len = (size_t)(end - buffer->bytes);
}

bool byte_buffer_append_u64(struct byte_buffer *buffer, uint64_t value)
{
    char digits[DECIMAL_U64_MAX_BYTES];
    return byte_buffer_append(buffer, digits, (size_t)(decimal_put_u64(digits, value) - digits));
}

bool byte_buffer_append_i64(struct byte_buffer *buffer, int64_t value)
{
    char digits[DECIMAL_I64_MAX_BYTES];
    return byte_buffer_append(buffer, digits, (size_t)(decimal_put_i64(digits, value) - digits));
}

bool byte_buffer_append_hex(struct byte_buffer *buffer, uint64_t value, unsigned min_digits)
{
    char digits[DECIMAL_HEX_MAX_BYTES];
    unsigned wanted = min_digits < sizeof digits ? min_digits : (unsigned)sizeof digits;
    char *end = decimal_put_hex(digits, value, wanted);
    return byte_buffer_append(buffer, digits, (size_t)(end - digits));
}

bool byte_buffer_append_format(struct byte_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (needed < 0 || !reserve(buffer, (size_t)needed)) {
        return refuse(buffer);
    }
    if (needed == 0) {
        return true; // there may be no memory yet
    }
    va_start(args, format);
    (void)vsnprintf(buffer->bytes + buffer->len, (size_t)needed + 1, format, args);
    va_end(args);
    buffer->len += (size_t)needed;
    return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "export/text_output.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_output_init(struct text_output *text, const struct byte_output *output, struct error *err)
{
    text->output = output;
    text->err = err;
    text->has_failed = false;
    text->len = 0;
}

static void flush(struct text_output *text)
{
    if (text->len > 0 && !text->has_failed) {
        text->has_failed = !byte_output_write(text->output, text->bytes, text->len, text->err);
    }
    text->len = 0;
}

bool text_output_finish(struct text_output *text)
{
    flush(text);
    return !text->has_failed;
}

void text_output_text(struct text_output *text, struct text bytes)
{
    if (bytes.len > 0 && bytes.len < sizeof text->bytes - text->len) { // nearly always
        memcpy(text->bytes + text->len, bytes.bytes, bytes.len);
        text->len += bytes.len;
        return;
    }
    while (bytes.len > 0) {
        size_t room = sizeof text->bytes - text->len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(text->bytes + text->len, bytes.bytes, len);
        text->len += len;
        bytes = (struct text){bytes.bytes + len, bytes.len - (uint32_t)len};
        if (text->len == sizeof text->bytes) {
            flush(text);
        }
    }
}

void text_output_string(struct text_output *text, const char *string)
{
    text_output_text(text, text_of(string));
}

void text_output_char(struct text_output *text, char byte)
{
    text->bytes[text->len++] = byte;
    if (text->len == sizeof text->bytes) {
        flush(text);
    }
}

static uint32_t digit_cnt(uint64_t value)
{
    uint32_t cnt = 1;
    for (; value >= 10000; value /= 10000) {
        cnt += 4;
    }
    return cnt + (value >= 10) + (value >= 100) + (value >= 1000);
}

void text_output_u64(struct text_output *text, uint64_t value)
{
    enum { MAX_DIGITS = 20 };
    if (sizeof text->bytes - text->len <= MAX_DIGITS) {
        flush(text);
    }
    uint32_t cnt = digit_cnt(value);
    char *at = text->bytes + text->len + cnt;
    text->len += cnt;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
}

void text_output_i64(struct text_output *text, int64_t value)
{
    if (value < 0) {
        text_output_char(text, '-');
    }
    text_output_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_output_format(struct text_output *text, const char *format, ...)
{
    char bytes[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(bytes, sizeof bytes, format, args);
    va_end(args);
    if (len > 0) {
        uint32_t used = len < (int)sizeof bytes ? (uint32_t)len : (uint32_t)sizeof bytes - 1;
        text_output_text(text, (struct text){bytes, used});
    }
}

// --- characters ---------------------------------------------------------------

static void json_character(struct text_output *text, struct text character)
{
    unsigned char byte = (unsigned char)character.bytes[0];
    if (byte == '"' || byte == '\\') {
        text_output_char(text, '\\');
        text_output_char(text, (char)byte);
    } else if (byte < 0x20 || byte == 0x7f) {
        text_output_format(text, "\\u%04x", byte);
    } else {
        text_output_text(text, character);
    }
}

// How many of the first bytes stand for themselves.
static uint32_t json_plain(struct text bytes)
{
    uint32_t len = 0;
    for (; len < bytes.len; len++) {
        unsigned char byte = (unsigned char)bytes.bytes[len];
        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') {
            break;
        }
    }
    return len;
}

void text_output_json(struct text_output *text, struct text bytes)
{
    text_output_char(text, '"');
    while (bytes.len > 0) {
        uint32_t plain = json_plain(bytes);
        uint32_t len = plain > 0 ? plain : utf8_len(bytes);
        if (len == 0) {
            text_output_string(text, "\\ufffd");
            len = 1;
        } else if (plain > 0) {
            text_output_text(text, (struct text){bytes.bytes, len});
        } else {
            json_character(text, (struct text){bytes.bytes, len});
        }
        bytes = (struct text){bytes.bytes + len, bytes.len - len};
    }
    text_output_char(text, '"');
}

static bool is_control(struct text character)
{
    unsigned char first = (unsigned char)character.bytes[0];
    bool is_c1 = character.len == 2 && first == 0xc2 && (unsigned char)character.bytes[1] < 0xa0;
    return first < 0x20 || first == 0x7f || is_c1;
}

uint32_t text_output_cells(struct text_output *text, struct text bytes, uint32_t max_cells)
{
    uint32_t cells = 0;
    while (bytes.len > 0 && cells < max_cells) {
        uint32_t len = utf8_len(bytes);
        if (len == 0 || is_control((struct text){bytes.bytes, len})) {
            text_output_char(text, '?');
            len = len == 0 ? 1 : len;
        } else {
            text_output_text(text, (struct text){bytes.bytes, len});
        }
        cells++;
        bytes = (struct text){bytes.bytes + len, bytes.len - len};
    }
    return cells;
}

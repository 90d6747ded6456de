// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

uint32_t utf8_len(struct text bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.bytes;
    uint32_t len = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (len == 0 || at[0] > 0xF4 || len > bytes.len) {
        return 0;
    }
    for (uint32_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool outside = (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF4 && at[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

// How many bytes at the front are whole characters.
static uint32_t valid_len(struct text text)
{
    uint32_t at = 0;
    while (at < text.len) {
        uint32_t len = utf8_len((struct text){text.bytes + at, text.len - at});
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

bool utf8_is_valid(struct text text)
{
    return valid_len(text) == text.len;
}

bool utf8_append_valid(struct byte_buffer *out, struct text text)
{
    for (;;) {
        uint32_t len = valid_len(text);
        if (!byte_buffer_append_text(out, (struct text){text.bytes, len})) {
            return false;
        }
        if (len == text.len) {
            return true;
        }
        if (!byte_buffer_append_text(out, TEXT("\xEF\xBF\xBD"))) {
            return false;
        }
        text = (struct text){text.bytes + len + 1, text.len - len - 1};
    }
}

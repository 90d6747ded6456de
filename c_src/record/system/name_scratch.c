// SPDX-License-Identifier: Apache-2.0
#include "record/system/name_scratch.h"

#include <stdarg.h>
#include <stdio.h>

void name_scratch_clear(struct name_scratch *scratch)
{
    scratch->used = 0;
}

struct text name_scratch_format(struct name_scratch *scratch, struct text otherwise,
                                const char *format, ...)
{
    uint32_t left = NAME_SCRATCH_BYTES - scratch->used;
    char *at = scratch->bytes + scratch->used;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(at, left, format, args);
    va_end(args);
    if (len < 0 || (uint32_t)len >= left) {
        return otherwise;
    }
    scratch->used += (uint32_t)len;
    return (struct text){at, (uint32_t)len};
}

struct text name_scratch_copy(struct name_scratch *scratch, struct text text)
{
    if (text.len == 0 || text.len > NAME_SCRATCH_BYTES - scratch->used) {
        return text;
    }
    char *at = scratch->bytes + scratch->used;
    memcpy(at, text.bytes, text.len);
    scratch->used += text.len;
    return (struct text){at, text.len};
}

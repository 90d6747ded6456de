// SPDX-License-Identifier: Apache-2.0
#include "import/line_feed.h"

#include <string.h>

size_t line_feed(const char *bytes, size_t len, bool is_last, line_feed_take take, void *context)
{
    size_t at = 0;
    while (at < len) {
        const char *newline = memchr(bytes + at, '\n', len - at);
        if (newline == NULL && !is_last) {
            break;
        }
        size_t end = newline == NULL ? len : (size_t)(newline - bytes);
        take(context, (struct text){bytes + at, (uint32_t)(end - at)});
        at = newline == NULL ? len : end + 1;
    }
    return at;
}

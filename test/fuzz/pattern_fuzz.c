// SPDX-License-Identifier: Apache-2.0
// A pattern in front of the first newline, the text behind it; what a simple
// backtracking matcher could not finish must end, too.
#include "query/pattern.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    const char *newline = len == 0 ? NULL : memchr(text, '\n', len);
    uint32_t source_len = newline == NULL ? (uint32_t)len : (uint32_t)(newline - text);
    struct pattern_fault fault = {0, NULL};
    struct pattern *pattern = pattern_create((struct text){text, source_len}, &fault);
    if (pattern == NULL && (fault.what == NULL || fault.at > source_len)) {
        abort();
    }
    if (pattern != NULL && newline != NULL) {
        struct text subject = {newline + 1, (uint32_t)len - source_len - 1};
        if (pattern_matches(pattern, subject) != pattern_matches(pattern, subject)) {
            abort();
        }
    }
    pattern_destroy(pattern);
    return 0;
}

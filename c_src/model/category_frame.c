// SPDX-License-Identifier: Apache-2.0
#include "model/category_frame.h"

#include <stddef.h>

// Kinds that are taken for one whatever the file is; others need `(process)`.
static const char *const KINDS[] = {"registered",  "status",  "memory",    "mailbox",  "priority",
                                    "scheduler",   "node",    "dirty_cpu", "dirty_io", "label",
                                    "application", "runtime", "container"};

static bool is_kind(struct text word, struct text file)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (text_equal(word, text_of(KINDS[i]))) {
            return true;
        }
    }
    for (uint32_t i = 0; i < word.len; i++) {
        char c = word.bytes[i];
        if (!((c >= 'a' && c <= 'z') || c == '_')) {
            return false;
        }
    }
    return text_equal(file, TEXT("process"));
}

// Ends in `/ARITY`, and has something in front of it.
static bool is_function(struct text name)
{
    uint32_t at = name.len;
    while (at > 0 && name.bytes[at - 1] >= '0' && name.bytes[at - 1] <= '9') {
        at--;
    }
    return at < name.len && at > 2 && name.bytes[at - 1] == '/';
}

bool category_frame_parse(struct text name, struct text file, struct category *category)
{
    if (!category_frame_possible(name)) {
        return false;
    }
    char close = name.bytes[0] == '{' ? '}' : ')';
    struct text inner = {name.bytes + 1, name.len - 2};
    if (name.bytes[name.len - 1] != close) {
        return false;
    }
    const char *blank = memchr(inner.bytes, ' ', inner.len);
    if (blank != NULL && close == '}') {
        struct text kind = {inner.bytes, (uint32_t)(blank - inner.bytes)};
        struct text value = {blank + 1, inner.len - kind.len - 1};
        if (kind.len > 0 && value.len > 0 && is_kind(kind, file)) {
            *category = (struct category){kind, value};
            return true;
        }
    }
    if (!is_function(inner)) {
        return false;
    }
    *category = (struct category){TEXT("initial_call"), inner};
    return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "import/line_count.h"

enum { MAX_DIGITS = 18 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool line_count_take(struct text *line, int64_t *count)
{
    uint32_t end = line->len;
    while (end > 0 && is_blank(line->bytes[end - 1])) {
        end--;
    }
    uint32_t begin = end;
    while (begin > 0 && (is_digit(line->bytes[begin - 1]) || line->bytes[begin - 1] == '.')) {
        begin--;
    }
    bool is_alone = begin == 0 || is_blank(line->bytes[begin - 1]);
    uint32_t at = begin;
    int64_t value = 0;
    while (at < end && is_digit(line->bytes[at]) && at - begin < MAX_DIGITS) {
        value = value * 10 + (line->bytes[at++] - '0');
    }
    if (!is_alone || at == begin || (at < end && line->bytes[at] != '.')) {
        return false;
    }
    bool round_up = at + 1 < end && line->bytes[at + 1] >= '5' && line->bytes[at + 1] <= '9';
    *count = value + round_up;
    while (begin > 0 && is_blank(line->bytes[begin - 1])) {
        begin--;
    }
    line->len = begin;
    return true;
}

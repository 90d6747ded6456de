// SPDX-License-Identifier: Apache-2.0
#include "query/filter_number.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit UNITS[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"k", 1000},
    {"K", 1000},
    {"M", 1000000},
    {"G", 1000000000},
    {"ns", 1},
    {"us", 1000},
    {"µs", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", 60000000000},
    {"h", 3600000000000},
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static const struct unit *find_unit(struct text name)
{
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (text_equal(name, text_of(UNITS[i].name))) {
            return &UNITS[i];
        }
    }
    return NULL;
}

// digits * factor / divisor, when that is whole and fits.
static bool scale(uint64_t digits, int64_t factor, uint64_t divisor, bool is_negative,
                  int64_t *number)
{
    __int128 product = (__int128)digits * factor;
    if (product % divisor != 0 || product / divisor > INT64_MAX) {
        return false;
    }
    *number = is_negative ? -(int64_t)(product / divisor) : (int64_t)(product / divisor);
    return true;
}

bool filter_number_parse(struct text text, int64_t *number)
{
    uint32_t at = 0;
    uint64_t digits = 0;
    uint64_t divisor = 1;
    uint32_t digit_cnt = 0;
    bool is_negative = text.len > 0 && text.bytes[0] == '-';
    bool in_fraction = false;
    for (at = is_negative ? 1 : 0; at < text.len; at++) {
        char byte = text.bytes[at];
        if (byte == '.' && !in_fraction && digit_cnt > 0) {
            in_fraction = true;
            continue;
        }
        if (!is_digit(byte)) {
            break;
        }
        if (++digit_cnt > 19 || __builtin_mul_overflow(digits, 10, &digits) ||
            __builtin_add_overflow(digits, (uint64_t)(byte - '0'), &digits)) {
            return false;
        }
        divisor *= in_fraction ? 10 : 1;
    }
    const struct unit *unit = find_unit((struct text){text.bytes + at, text.len - at});
    return digit_cnt > 0 && unit != NULL &&
           scale(digits, unit->factor, divisor, is_negative, number);
}

bool filter_number_parse_range(struct text text, int64_t *from, int64_t *to)
{
    uint32_t at = 0;
    while (at + 1 < text.len && (text.bytes[at] != '.' || text.bytes[at + 1] != '.')) {
        at++;
    }
    if (at + 1 >= text.len || text.len == 2) {
        return false;
    }
    struct text left = {text.bytes, at};
    struct text right = {text.bytes + at + 2, text.len - at - 2};
    *from = INT64_MIN;
    *to = INT64_MAX;
    return (left.len == 0 || filter_number_parse(left, from)) &&
           (right.len == 0 || filter_number_parse(right, to)) && *from <= *to;
}

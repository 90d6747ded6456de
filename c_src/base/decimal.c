// SPDX-License-Identifier: Apache-2.0
#include "base/decimal.h"

#include <string.h>

static const char PAIRS[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

// Two digits per division, from the last.
char *decimal_put_u64(char *at, uint64_t value)
{
    char digits[DECIMAL_U64_MAX_BYTES];
    char *first = digits + sizeof digits;
    while (value >= 100) {
        first -= 2;
        memcpy(first, PAIRS + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        first -= 2;
        memcpy(first, PAIRS + value * 2, 2);
    } else {
        *--first = (char)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof digits - first);
    memcpy(at, first, len);
    return at + len;
}

char *decimal_put_i64(char *at, int64_t value)
{
    if (value >= 0) {
        return decimal_put_u64(at, (uint64_t)value);
    }
    *at = '-';
    return decimal_put_u64(at + 1, ~(uint64_t)value + 1);
}

char *decimal_put_hex(char *at, uint64_t value, unsigned min_digits)
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned digits = value == 0 ? 1 : 16 - (unsigned)__builtin_clzll(value) / 4;
    digits = digits < min_digits ? min_digits : digits;
    for (unsigned i = digits; i > 0; i--, value >>= 4) {
        at[i - 1] = DIGITS[value & 15];
    }
    return at + digits;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/number_text.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_digits(const char *text, uint64_t *value, char **end)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *value = strtoull(text, end, 10);
    return errno == 0;
}

bool number_text_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end = NULL;
    uint64_t parsed = 0;
    if (!parse_digits(text, &parsed, &end) || *end != '\0' || parsed < min || parsed > max) {
        return false;
    }
    *value = parsed;
    return true;
}

bool number_text_parse_bytes(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    static const char UNITS[] = "KMG";
    char *end = NULL;
    uint64_t parsed = 0;
    if (!parse_digits(text, &parsed, &end)) {
        return false;
    }
    const char *unit = *end == '\0' ? NULL : strchr(UNITS, *end & ~0x20);
    unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - UNITS + 1);
    bool whole = *end == '\0' || (unit != NULL && end[1] == '\0');
    if (!whole || parsed > UINT64_MAX >> shift || parsed << shift < min || parsed << shift > max) {
        return false;
    }
    *value = parsed << shift;
    return true;
}

bool number_text_parse_seconds(const char *text, uint64_t *value_ns)
{
    static const uint64_t MAX_S = 10ULL * 366 * 24 * 3600;
    char *end = NULL;
    uint64_t seconds = 0;
    uint64_t fraction_ns = 0;
    if (!parse_digits(text, &seconds, &end) || seconds > MAX_S) {
        return false;
    }
    if (*end == '.') {
        uint64_t unit_ns = CLOCK_NS_PER_S / 10;
        for (end++; *end >= '0' && *end <= '9'; end++, unit_ns /= 10) {
            fraction_ns += (uint64_t)(*end - '0') * unit_ns;
        }
    }
    if (*end != '\0' || seconds + fraction_ns == 0) {
        return false;
    }
    *value_ns = seconds * CLOCK_NS_PER_S + fraction_ns;
    return true;
}

const char *number_text_bytes(uint64_t bytes, char text[NUMBER_TEXT_BYTES])
{
    static const char *const UNITS[] = {"bytes", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof UNITS / sizeof UNITS[0]) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, NUMBER_TEXT_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", value, UNITS[unit]);
    return text;
}

const char *number_text_grouped(int64_t value, char text[NUMBER_TEXT_BYTES])
{
    char digits[NUMBER_TEXT_BYTES];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int cnt = snprintf(digits, sizeof digits, "%llu", (unsigned long long)magnitude);
    char *to = text;
    if (value < 0) {
        *to++ = '-';
    }
    for (int i = 0; i < cnt; i++) {
        if (i > 0 && (cnt - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

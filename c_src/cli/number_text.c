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

// Digits with an optional fraction, in units of `unit_ns`; where it ended.
static bool parse_time(const char *text, uint64_t unit_ns, uint64_t *value_ns, char **end)
{
    static const uint64_t MAX_NS = 10ULL * 366 * 24 * 3600 * CLOCK_NS_PER_S;
    uint64_t whole = 0;
    uint64_t fraction_ns = 0;
    if (!parse_digits(text, &whole, end) || whole > MAX_NS / unit_ns) {
        return false;
    }
    if (**end == '.') {
        uint64_t place_ns = unit_ns / 10;
        for ((*end)++; **end >= '0' && **end <= '9'; (*end)++, place_ns /= 10) {
            fraction_ns += (uint64_t)(**end - '0') * place_ns;
        }
    }
    *value_ns = whole * unit_ns + fraction_ns;
    return *value_ns != 0;
}

bool number_text_parse_seconds(const char *text, uint64_t *value_ns)
{
    char *end = NULL;
    uint64_t parsed_ns = 0;
    if (!parse_time(text, CLOCK_NS_PER_S, &parsed_ns, &end) || *end != '\0') {
        return false;
    }
    *value_ns = parsed_ns;
    return true;
}

bool number_text_parse_duration(const char *text, uint64_t *value_ns)
{
    static const struct {
        const char *suffix;
        uint64_t ns;
    } UNITS[] = {{"", CLOCK_NS_PER_S},
                 {"s", CLOCK_NS_PER_S},
                 {"ms", CLOCK_NS_PER_MS},
                 {"m", 60ULL * CLOCK_NS_PER_S},
                 {"h", 3600ULL * CLOCK_NS_PER_S}};
    const char *unit = text + strspn(text, "0123456789.");
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        char *end = NULL;
        uint64_t parsed_ns = 0;
        if (strcmp(unit, UNITS[i].suffix) == 0 && parse_time(text, UNITS[i].ns, &parsed_ns, &end) &&
            end == unit) {
            *value_ns = parsed_ns;
            return true;
        }
    }
    return false;
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

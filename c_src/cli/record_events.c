// SPDX-License-Identifier: Apache-2.0
#include "cli/record_events.h"

#include "base/clock.h"
#include "cli/number_text.h"

#include <stdio.h>
#include <string.h>

enum { MAX_RATE_HZ = 100000 };
#define MAX_TIME_NS (3600ULL * CLOCK_NS_PER_S)

// 500us, 1ms, 2s, 100ns; a number alone is in milliseconds.
static bool parse_time(const char *text, uint64_t *ns_ret)
{
    static const struct {
        const char *suffix;
        uint64_t ns;
    } UNITS[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", CLOCK_NS_PER_S}, {"", 1000000}};
    char digits[32];
    uint64_t number = 0;
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof digits) {
        return false;
    }
    (void)snprintf(digits, sizeof digits, "%.*s", (int)len, text);
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (strcmp(text + len, UNITS[i].suffix) == 0 &&
            number_text_parse(digits, 1, MAX_TIME_NS / UNITS[i].ns, &number)) {
            *ns_ret = number * UNITS[i].ns;
            return true;
        }
    }
    return false;
}

static bool parse_number(enum system_event event, const char *text, uint64_t *value_ret,
                         struct error *err)
{
    switch (system_event_number(event)) {
    case SYSTEM_EVENT_HZ:
        return number_text_parse(text, 1, MAX_RATE_HZ, value_ret) ||
               error_set(err, ERROR_BAD_ARGUMENT,
                         "-e %s:%s: expected samples per second, 1 to 100000",
                         system_event_name(event), text);
    case SYSTEM_EVENT_MIN_NS:
        return parse_time(text, value_ret) ||
               error_set(err, ERROR_BAD_ARGUMENT,
                         "-e %s:%s: expected the shortest time, as 500us, 1ms or 2s",
                         system_event_name(event), text);
    case SYSTEM_EVENT_EVERY:
        break;
    }
    return number_text_parse(text, 1, 1000000000000, value_ret) ||
           error_set(err, ERROR_BAD_ARGUMENT, "-e %s:%s: expected a count, one sample for so many",
                     system_event_name(event), text);
}

static bool unknown(const char *name, struct error *err)
{
    char names[256];
    size_t used = 0;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                                 system_event_name((enum system_event)i));
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "-e: '%s' is no event; there are %s", name, names);
}

bool record_events_add(struct system_event_choice *events, uint32_t *rate_hz_ret, const char *list,
                       struct error *err)
{
    char copy[1024];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-e: the list is too long");
    }
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        enum system_event event = SYSTEM_EVENT_CPU_CLOCK;
        char *number = strchr(item, ':');
        if (number != NULL) {
            *number++ = '\0';
        }
        if (!system_event_parse(item, &event)) {
            return unknown(item, err);
        }
        uint64_t value = system_event_default(event);
        if (number != NULL && !parse_number(event, number, &value, err)) {
            return false;
        }
        events->values[event] = value;
        *rate_hz_ret = event == SYSTEM_EVENT_CPU_CLOCK ? (uint32_t)value : *rate_hz_ret;
    }
    return true;
}

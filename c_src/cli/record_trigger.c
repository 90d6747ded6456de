// SPDX-License-Identifier: Apache-2.0
#include "cli/record_trigger.h"

#include "cli/number_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char EXPECTED[] = "expected GAUGE>NUMBER, as load>8, 'cpu>90% for 5s' or "
                               "io-pressure>20, or 'comm=NAME exits'";

static bool wrong(const char *text, const char *why, struct error *err)
{
    return error_set(err, ERROR_BAD_ARGUMENT, "--trigger '%s': %s", text, why);
}

static bool unknown_gauge(const char *text, const char *name, struct error *err)
{
    char names[256];
    size_t used = 0;
    for (int i = 0; i < HOST_GAUGE_CNT; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                                 host_gauge_name((enum host_gauge)i));
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "--trigger '%s': '%s' is no gauge; there are %s",
                     text, name, names);
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " ");
}

// The word at `at`, up to any of `ends`; its length, 0 when there is none or too long a one.
static size_t take_word(const char *at, const char *ends, char *word, size_t word_bytes)
{
    size_t len = strcspn(at, ends);
    if (len >= word_bytes) {
        return 0;
    }
    memcpy(word, at, len);
    word[len] = '\0';
    return len;
}

// Digits with an optional fraction: no sign, no exponent, no infinity.
static bool take_number(const char **at, double *number_ret)
{
    char digits[24];
    size_t len = strspn(*at, "0123456789.");
    char *end = NULL;
    if (len == 0 || len >= sizeof digits) {
        return false;
    }
    memcpy(digits, *at, len);
    digits[len] = '\0';
    *number_ret = strtod(digits, &end);
    *at += len;
    return *end == '\0';
}

// [for TIME] and nothing behind it.
static bool take_hold(const char *at, uint64_t *hold_ns_ret)
{
    at = skip_blanks(at);
    if (*at == '\0') {
        return true;
    }
    return strncmp(at, "for ", 4) == 0 &&
           number_text_parse_duration(skip_blanks(at + 4), hold_ns_ret);
}

static bool parse_gauge(struct host_trigger *trigger, const char *text, struct error *err)
{
    char name[32];
    const char *at = skip_blanks(text);
    size_t len = take_word(at, " >", name, sizeof name);
    if (len == 0 || *skip_blanks(at + len) != '>') {
        return wrong(text, EXPECTED, err);
    }
    if (!host_gauge_parse(name, &trigger->gauge)) {
        return unknown_gauge(text, name, err);
    }
    at = skip_blanks(skip_blanks(at + len) + 1);
    if (!take_number(&at, &trigger->limit)) {
        return wrong(text, EXPECTED, err);
    }
    if (host_gauge_is_share(trigger->gauge) && trigger->limit >= 100) {
        return wrong(text, "it is in percent and never above 100", err);
    }
    at += host_gauge_is_share(trigger->gauge) && *at == '%' ? 1 : 0;
    return take_hold(at, &trigger->hold_ns) || wrong(text, EXPECTED, err);
}

static bool parse_exit(struct host_trigger *trigger, const char *text, const char *at,
                       struct error *err)
{
    static const char EXITS[] = " exits";
    size_t len = strlen(at);
    size_t name_len = len - (sizeof EXITS - 1);
    if (len < sizeof EXITS || strcmp(at + name_len, EXITS) != 0) {
        return wrong(text, EXPECTED, err);
    }
    if (name_len >= sizeof trigger->comm) {
        return wrong(text, "the kernel keeps 15 bytes of a name", err);
    }
    trigger->kind = HOST_TRIGGER_EXIT;
    memcpy(trigger->comm, at, name_len);
    return true;
}

bool record_trigger_parse(struct host_trigger *trigger, const char *text, struct error *err)
{
    static const char COMM[] = "comm=";
    *trigger = (struct host_trigger){.kind = HOST_TRIGGER_GAUGE};
    const char *at = skip_blanks(text);
    if (snprintf(trigger->text, sizeof trigger->text, "%s", at) >= (int)sizeof trigger->text) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--trigger: the condition is too long");
    }
    if (strncmp(at, COMM, sizeof COMM - 1) == 0) {
        return parse_exit(trigger, text, at + sizeof COMM - 1, err);
    }
    return parse_gauge(trigger, text, err);
}

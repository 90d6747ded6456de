// SPDX-License-Identifier: Apache-2.0
#include "export/report_facts.h"

#include <string.h>

enum { MAX_REASONS = 64, MAX_ORIGINS = 8, TITLE_CELLS = 11 };

// --- where it comes from ----------------------------------------------------------

struct origin {
    struct text host;
    struct text node;
};

static bool add_origin(struct origin *origins, uint32_t *cnt, struct origin origin)
{
    for (uint32_t i = 0; i < *cnt; i++) {
        if (text_equal(origins[i].host, origin.host) && text_equal(origins[i].node, origin.node)) {
            return false;
        }
    }
    if (*cnt == MAX_ORIGINS) {
        return false;
    }
    origins[(*cnt)++] = origin;
    return true;
}

static void write_known(struct text_output *text, const char *before, struct text value,
                        uint32_t width)
{
    if (value.len > 0) {
        text_output_string(text, before);
        (void)text_output_cells(text, value, width);
    }
}

void report_facts_origin(struct text_output *text, const struct profile *profile, uint32_t width)
{
    struct origin origins[MAX_ORIGINS];
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < profile->source_cnt; i++) {
        struct origin origin = {profile_fact(profile, i, TEXT("hostname")),
                                profile_fact(profile, i, TEXT("node"))};
        if (origin.host.len + origin.node.len == 0 || !add_origin(origins, &cnt, origin)) {
            continue;
        }
        text_output_string(text, "from       ");
        (void)text_output_cells(text, origin.node.len > 0 ? origin.node : origin.host, width);
        write_known(text, " on ", origin.node.len > 0 ? origin.host : TEXT(""), width);
        write_known(text, ", OTP ", profile_fact(profile, i, TEXT("otp")), width);
        write_known(text, ", tier ", profile_fact(profile, i, TEXT("tier")), width);
        text_output_char(text, '\n');
    }
    if (profile->stats.malformed_cnt > 0) {
        text_output_format(text, "unreadable %llu lines, left out\n",
                           (unsigned long long)profile->stats.malformed_cnt);
    }
}

// --- losses -----------------------------------------------------------------------

struct reason {
    struct text name;
    uint64_t cnt;
};

struct reasons {
    struct reason reasons[MAX_REASONS];
    uint32_t cnt;
    uint64_t total;
};

static uint64_t number_of(struct text text)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < text.len && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    return number;
}

static void add_reason(struct reasons *reasons, struct text name, uint64_t cnt)
{
    uint32_t at = 0;
    while (at < reasons->cnt && !text_equal(reasons->reasons[at].name, name)) {
        at++;
    }
    if (cnt == 0 || at == MAX_REASONS) {
        return;
    }
    if (at == reasons->cnt) {
        reasons->reasons[reasons->cnt++] = (struct reason){name, 0};
    }
    reasons->reasons[at].cnt += cnt;
    reasons->total += cnt;
}

// Facts "loss NAME" or "degraded NAME".
static void add_source(struct reasons *reasons, const struct profile *profile, uint32_t source,
                       struct text kind)
{
    const struct profile_source *of = &profile->sources[source];
    for (uint32_t i = 0; i < of->fact_cnt; i++) {
        struct text key = profile_text(profile, of->facts[i].key);
        if (key.len > kind.len && memcmp(key.bytes, kind.bytes, kind.len) == 0) {
            struct text name = {key.bytes + kind.len, key.len - kind.len};
            add_reason(reasons, name, number_of(profile_text(profile, of->facts[i].value)));
        }
    }
}

static bool is_of_event(const struct profile *profile, uint32_t source, struct text event)
{
    struct text name = profile_fact(profile, source, TEXT("event"));
    return name.len == 0 || text_equal(name, event);
}

static void write_reasons(struct text_output *text, const struct profile *profile,
                          struct text event, struct text kind, const char *title, uint32_t width)
{
    struct reasons reasons = {.cnt = 0};
    for (uint32_t i = 0; i < profile->source_cnt; i++) {
        if (is_of_event(profile, i, event)) {
            add_source(&reasons, profile, i, kind);
        }
    }
    text_output_format(text, "%-*s", TITLE_CELLS, title);
    for (uint32_t i = 0; i < reasons.cnt; i++) {
        text_output_string(text, i == 0 ? "" : ", ");
        (void)text_output_cells(text, reasons.reasons[i].name, width);
        text_output_format(text, " %llu", (unsigned long long)reasons.reasons[i].cnt);
    }
    text_output_string(text, reasons.cnt == 0 ? "nothing\n" : "\n");
}

void report_facts_losses(struct text_output *text, const struct profile *profile, struct text event,
                         uint32_t width)
{
    uint32_t cnt = 0;
    uint32_t open_cnt = 0;
    for (uint32_t i = 0; i < profile->source_cnt; i++) {
        bool is_of = is_of_event(profile, i, event);
        cnt += is_of;
        open_cnt += is_of && profile->sources[i].is_incomplete;
    }
    if (open_cnt < cnt) {
        write_reasons(text, profile, event, TEXT("loss "), "lost", width);
        write_reasons(text, profile, event, TEXT("degraded "), "incomplete", width);
    }
    if (open_cnt > 0) {
        text_output_format(
            text, "%-*s%u of %u files: still written, or cut; what they lack is not known\n",
            TITLE_CELLS, "open", open_cnt, cnt);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "sinks/session_facts.h"

#include "base/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { KEY_BYTES = 128, VALUE_BYTES = 1024 };

struct taker {
    session_fact_fn take;
    void *context;
};

static void tell(const struct taker *taker, const char *key, const char *value)
{
    taker->take(taker->context, key, value);
}

__attribute__((format(printf, 3, 4))) static void tell_format(const struct taker *taker,
                                                              const char *key, const char *format,
                                                              ...)
{
    char value[VALUE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    tell(taker, key, value);
}

static void tell_count(const struct taker *taker, const char *prefix, const char *name,
                       uint64_t count)
{
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "%s%s", prefix, name);
    tell_format(taker, key, "%llu", (unsigned long long)count);
}

// --- head ---------------------------------------------------------------------

static void tell_started(const struct taker *taker, const struct session *session)
{
    uint64_t elapsed_ns = clock_monotonic_ns() - session->anchor.monotonic_ns;
    time_t seconds = (time_t)((session->anchor.unix_ns + elapsed_ns) / CLOCK_NS_PER_S);
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    tell(taker, "started", text);
}

static void tell_metrics(const struct taker *taker, const struct session *session)
{
    char value[METRIC_MAX_CNT * 64] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < session->metric_cnt && len < sizeof value; i++) {
        int put = snprintf(value + len, sizeof value - len, "%s%s", i == 0 ? "" : " ",
                           session->metric_names[i]);
        len += put > 0 ? (size_t)put : 0;
    }
    tell(taker, "metrics", value);
}

void session_facts_head(const struct session *session, session_fact_fn take, void *context)
{
    struct taker taker = {take, context};
    tell(&taker, "flame_prof", FLAME_PROF_VERSION);
    for (uint32_t i = 0; i < session->field_cnt; i++) {
        tell(&taker, session->fields[i].key, session->fields[i].value);
    }
    tell_started(&taker, session);
    tell(&taker, "clock", "CLOCK_MONOTONIC");
    tell_count(&taker, "clock_anchor_", "monotonic_ns", session->anchor.monotonic_ns);
    tell_count(&taker, "clock_anchor_", "unix_ns", session->anchor.unix_ns);
    tell(&taker, "event", session->event_name);
    tell(&taker, "period_unit", session->period_unit == NULL ? "ns" : session->period_unit);
    tell_metrics(&taker, session);
}

// --- foot ---------------------------------------------------------------------

static void tell_totals(const struct taker *taker, const struct session *session,
                        const struct file_summary *summary)
{
    for (uint32_t i = 0; i < session->metric_cnt; i++) {
        char key[KEY_BYTES];
        (void)snprintf(key, sizeof key, "total %s", session->metric_names[i]);
        tell_format(taker, key, "%lld, %lld", (long long)summary->metric_totals[i].value,
                    (long long)summary->metric_totals[i].delta);
    }
}

void session_facts_foot(const struct session *session, const struct file_summary *summary,
                        session_fact_fn take, void *context)
{
    struct taker taker = {take, context};
    const struct loss_snapshot *losses = &summary->losses;
    tell(&taker, "end", summary->end_reason);
    tell_count(&taker, "", "samples", summary->sample_cnt);
    tell_count(&taker, "", "period_total_ns", summary->period_total_ns);
    tell_totals(&taker, session, summary);
    if (summary->own_cpu_ns != 0) {
        tell_count(&taker, "", "own_cpu_ns", summary->own_cpu_ns);
        tell_count(&taker, "", "own_rss_bytes", summary->own_rss_bytes);
    }
    tell_count(&taker, "", "ticks_expected", losses->ticks_expected);
    tell_count(&taker, "", "ticks_taken", losses->ticks_taken);
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        tell_count(&taker, "loss ", loss_reason_name((enum loss_reason)i), losses->lost[i]);
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        tell_count(&taker, "degraded ", degraded_reason_name((enum degraded_reason)i),
                   losses->degraded[i]);
    }
}

// SPDX-License-Identifier: Apache-2.0
// The facts in a header, the names of metrics and of losses.
#include "model/session.h"

#include "model/loss.h"
#include "model/metric.h"
#include "test.h"

static struct session session;

static const char *value_of(const char *key)
{
    for (uint32_t i = 0; i < session.field_cnt; i++) {
        if (strcmp(session.fields[i].key, key) == 0) {
            return session.fields[i].value;
        }
    }
    return NULL;
}

TEST(each_engine_has_its_event_and_metrics)
{
    session_init_beam(&session);
    CHECK_STR(value_of("engine"), "beam");
    CHECK_STR(session.event_name, "beam-wall");
    CHECK_UINT(session.metric_cnt, 16); // those of the Flamescope fork
    CHECK_STR(session.metric_names[BEAM_METRIC_REDUCTIONS], "erlang_reductions");
    CHECK_STR(session.metric_names[BEAM_METRIC_MINOR_GCS], "erlang_minor_gcs");
    CHECK(value_of("hostname")[0] != '\0' && value_of("os_release")[0] != '\0');
    CHECK(atoi(value_of("cpus")) > 0);
    session_init_system(&session);
    CHECK_STR(value_of("engine"), "system");
    CHECK_STR(session.event_name, "cpu-clock");
    CHECK_UINT(session.metric_cnt, SYSTEM_METRIC_CNT);
    CHECK_STR(session.metric_names[SYSTEM_METRIC_CPU_NS], "native_cpu_ns");
    CHECK(session.anchor.unix_ns > 0);
}

TEST(values_are_one_line_and_cut)
{
    char longer[2 * SESSION_VALUE_BYTES];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    session_init_beam(&session);
    CHECK(session_set(&session, "a", "%s", "one\ntwo\tthree\x01"));
    CHECK_STR(value_of("a"), "one two three ");
    CHECK(session_set(&session, "b", "%s", longer));
    CHECK_UINT(strlen(value_of("b")), SESSION_VALUE_BYTES - 1);
    CHECK(session_set(&session, longer, "%d", 7));
    CHECK_UINT(strlen(session.fields[session.field_cnt - 1].key), SESSION_KEY_BYTES - 1);
}

TEST(a_full_table_refuses)
{
    session_init_beam(&session);
    uint32_t cnt = session.field_cnt;
    while (session_set(&session, "k", "v")) {
        cnt++;
    }
    CHECK_UINT(cnt, SESSION_MAX_FIELDS);
    CHECK_UINT(session.field_cnt, SESSION_MAX_FIELDS);
}

TEST(losses_are_counted_and_named)
{
    static struct loss_counters losses;
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        loss_add(&losses, (enum loss_reason)i, (uint64_t)i + 1);
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(loss_reason_name((enum loss_reason)i),
                         loss_reason_name((enum loss_reason)k)) != 0);
        }
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        degraded_add(&losses, (enum degraded_reason)i);
    }
    losses.ticks_expected = 5;
    losses.ticks_taken = 4;
    struct loss_snapshot snapshot = loss_counters_read(&losses);
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        CHECK_UINT(snapshot.lost[i], i + 1);
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        CHECK_UINT(snapshot.degraded[i], 1);
    }
    CHECK_UINT(snapshot.ticks_expected, 5);
    CHECK_UINT(snapshot.ticks_taken, 4);
    CHECK_STR(loss_reason_name(LOSS_REASON_CNT), "unknown");
    CHECK_STR(degraded_reason_name((enum degraded_reason) - 1), "unknown");
}

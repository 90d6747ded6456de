// SPDX-License-Identifier: Apache-2.0
#include "model/session.h"

#include "model/metric.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const BEAM_METRIC_NAMES[] = {
#define METRIC_NAME(id, name) [id] = (name),
    BEAM_METRICS(METRIC_NAME)};

static const char *const SYSTEM_METRIC_NAMES[] = {SYSTEM_METRICS(METRIC_NAME)};
#undef METRIC_NAME

bool session_set(struct session *session, const char *key, const char *format, ...)
{
    if (session->field_cnt == SESSION_MAX_FIELDS) {
        return false;
    }
    struct session_field *field = &session->fields[session->field_cnt++];
    (void)snprintf(field->key, sizeof field->key, "%s", key);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(field->value, sizeof field->value, format, args);
    va_end(args);
    for (char *c = field->value; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 ? ' ' : *c;
    }
    return true;
}

static void init_common(struct session *session, const char *engine)
{
    struct utsname host;
    (void)session_set(session, "engine", "%s", engine);
    if (uname(&host) == 0) {
        (void)session_set(session, "hostname", "%s", host.nodename);
        (void)session_set(session, "os_release", "%s %s %s", host.sysname, host.release,
                          host.machine);
    }
    (void)session_set(session, "cpus", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    session->anchor = clock_anchor_now();
}

void session_init_beam(struct session *session)
{
    *session = (struct session){
        .event_name = "beam-wall",
        .metric_names = BEAM_METRIC_NAMES,
        .metric_cnt = BEAM_METRIC_CNT,
    };
    init_common(session, "beam");
}

void session_init_beam_cpu(struct session *session)
{
    session_init_beam(session);
    session->event_name = "beam-cpu";
}

void session_choose_metrics(struct session *session, const struct metric_choice *choice)
{
    session->metric_names = choice->names;
    session->metric_cnt = choice->cnt;
}

void session_init_system(struct session *session)
{
    *session = (struct session){
        .event_name = "cpu-clock",
        .metric_names = SYSTEM_METRIC_NAMES,
        .metric_cnt = SYSTEM_METRIC_CNT,
    };
    init_common(session, "system");
}

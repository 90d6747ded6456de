// SPDX-License-Identifier: Apache-2.0
// Everything needed to interpret samples: which engine, event and metrics, and
// facts about host and options as ordered key/value lines for the header.
#ifndef FLAME_PROF_MODEL_SESSION_H
#define FLAME_PROF_MODEL_SESSION_H

#include "base/clock.h"
#include "model/metric.h"

#include <stdbool.h>
#include <stdint.h>

enum { SESSION_MAX_FIELDS = 32, SESSION_KEY_BYTES = 32, SESSION_VALUE_BYTES = 960 };

struct session_field {
    char key[SESSION_KEY_BYTES];
    char value[SESSION_VALUE_BYTES];
};

// Plain data; filled before the recording opens, constant afterwards.
struct session {
    const char *event_name;          // "beam-wall", "cpu-clock"
    const char *period_unit;         // of a sample's period; NULL = "ns"
    const char *const *metric_names; // static, or a choice's
    uint32_t metric_cnt;
    struct clock_anchor anchor;
    struct session_field fields[SESSION_MAX_FIELDS];
    uint32_t field_cnt;
};

// Fills event, metrics, anchor and the fields every engine has (engine,
// hostname, os_release, cpus). `engine` is "beam" or "system".
void session_init_beam(struct session *session);
void session_init_beam_cpu(struct session *session);
void session_init_system(struct session *session);

// In place of the 16 of the fork; the choice is lent for the life of the session.
void session_choose_metrics(struct session *session, const struct metric_choice *choice);

// Appends `key: value`; control characters become spaces, what is too long is
// cut. False when the table is full.
bool session_set(struct session *session, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

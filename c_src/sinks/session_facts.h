// SPDX-License-Identifier: Apache-2.0
// What the head and the foot of a file say, as keys and values, in the order of
// docs/perf-script-format.md. Any thread.
#ifndef FLAME_PROF_SINKS_SESSION_FACTS_H
#define FLAME_PROF_SINKS_SESSION_FACTS_H

#include "sinks/sink.h"

// Both texts are valid during the call.
typedef void (*session_fact_fn)(void *context, const char *key, const char *value);

void session_facts_head(const struct session *session, session_fact_fn take, void *context);
void session_facts_foot(const struct session *session, const struct file_summary *summary,
                        session_fact_fn take, void *context);

#endif

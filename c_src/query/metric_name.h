// SPDX-License-Identifier: Apache-2.0
// Metrics by the names that people type: "erlang_memory", "memory", "mem",
// "metric_erlang_memory". Any thread.
#ifndef FLAME_PROF_QUERY_METRIC_NAME_H
#define FLAME_PROF_QUERY_METRIC_NAME_H

#include "model/profile.h"

// Index, or PROFILE_NONE.
int metric_name_find(const struct profile *profile, struct text name);

#endif

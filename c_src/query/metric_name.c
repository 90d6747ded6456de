// SPDX-License-Identifier: Apache-2.0
#include "query/metric_name.h"

#include <stdio.h>

enum { MAX_NAME_BYTES = 256 };

static const struct {
    const char *typed;
    const char *name;
} ALIASES[] = {
    {"mem", "erlang_memory"},           {"reds", "erlang_reductions"},
    {"mq", "erlang_message_queue_len"}, {"heap", "erlang_total_heap_size"},
    {"cpu_ns", "erlang_cpu_ns"},
};

static int find_prefixed(const struct profile *profile, const char *prefix, struct text name)
{
    char text[MAX_NAME_BYTES];
    int len = snprintf(text, sizeof text, "%s%.*s", prefix, (int)name.len, name.bytes);
    return len >= (int)sizeof text ? PROFILE_NONE : profile_find_metric(profile, text_of(text));
}

int metric_name_find(const struct profile *profile, struct text name)
{
    static const struct text METRIC = TEXT("metric_");
    if (name.len > METRIC.len && memcmp(name.bytes, METRIC.bytes, METRIC.len) == 0) {
        name = (struct text){name.bytes + METRIC.len, name.len - METRIC.len};
    }
    for (size_t i = 0; i < sizeof ALIASES / sizeof ALIASES[0]; i++) {
        if (text_equal(name, text_of(ALIASES[i].typed))) {
            name = text_of(ALIASES[i].name);
        }
    }
    int found = name.len == 0 ? PROFILE_NONE : profile_find_metric(profile, name);
    if (found == PROFILE_NONE && name.len > 0) {
        found = find_prefixed(profile, "erlang_", name);
    }
    if (found == PROFILE_NONE && name.len > 0) {
        found = find_prefixed(profile, "native_", name);
    }
    return found;
}

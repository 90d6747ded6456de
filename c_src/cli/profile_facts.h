// SPDX-License-Identifier: Apache-2.0
// Sums over the events of a perf-script file, for `flameprof info`. Bounded: what
// exceeds a limit is counted in dropped_cnt. One owner, one thread.
#ifndef FLAME_PROF_CLI_PROFILE_FACTS_H
#define FLAME_PROF_CLI_PROFILE_FACTS_H

#include "store/perf_script_reader.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROFILE_FACTS_NAME_BYTES = 128, PROFILE_FACTS_MAX_EVENT_KINDS = 64 };

struct profile_metric_sum {
    char name[PROFILE_FACTS_NAME_BYTES];
    int64_t value; // wraps around like the counters it sums
    int64_t delta;
};

struct profile_event_kind {
    char name[PROFILE_FACTS_NAME_BYTES];
    uint64_t cnt;
};

struct profile_facts {
    struct profile_metric_sum metrics[PERF_SCRIPT_MAX_METRICS];
    uint32_t metric_cnt;
    struct profile_event_kind event_kinds[PROFILE_FACTS_MAX_EVENT_KINDS];
    uint32_t event_kind_cnt;
    uint64_t event_cnt;
    uint64_t with_period_cnt;
    uint64_t period_total;
    uint64_t first_ns;
    uint64_t last_ns; // the latest, also when events are out of order
    uint64_t largest_gap_ns;
    uint64_t out_of_order_cnt; // events earlier than one before them
    uint64_t dropped_cnt;
    struct profile_bucket_set *buckets;
};

struct profile_buckets {
    bool is_known;
    uint64_t cnt; // from that of the first to that of the last time, inclusive
    uint64_t empty_cnt;
};

// NULL when out of memory.
struct profile_facts *profile_facts_create(void);
void profile_facts_destroy(struct profile_facts *facts);

void profile_facts_add(struct profile_facts *facts, const struct perf_script_event *event);

struct profile_buckets profile_facts_buckets(const struct profile_facts *facts);

#endif

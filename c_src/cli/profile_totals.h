// SPDX-License-Identifier: Apache-2.0
// Adds up events per function, process, thread and category, for `flameprof
// top`. One owner, one thread.
#ifndef FLAME_PROF_CLI_PROFILE_TOTALS_H
#define FLAME_PROF_CLI_PROFILE_TOTALS_H

#include "cli/profile_table.h"
#include "cli/top_options.h"
#include "store/perf_script_reader.h"

#include <stdint.h>

struct profile_totals {
    const struct top_options *options; // borrowed
    struct profile_table *tables[TOP_KEY_CNT];
    uint64_t event_cnt; // those taken
    uint64_t with_period_cnt;
    uint64_t no_metric_cnt; // events without the wanted metric
    int64_t weight;         // the sum
    uint64_t magnitude;     // the sum of absolute weights
    uint64_t first_ns;
    uint64_t last_ns;
    char event_name[64]; // of the first event
};

// False when out of memory; _deinit is needed either way.
bool profile_totals_init(struct profile_totals *totals, const struct top_options *options);
void profile_totals_deinit(struct profile_totals *totals);

void profile_totals_add(struct profile_totals *totals, const struct perf_script_event *event);

#endif

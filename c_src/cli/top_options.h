// SPDX-License-Identifier: Apache-2.0
// The command line of `flameprof top` as a struct.
#ifndef FLAME_PROF_CLI_TOP_OPTIONS_H
#define FLAME_PROF_CLI_TOP_OPTIONS_H

#include "base/error.h"
#include "query/selection.h"

#include <stdbool.h>
#include <stdint.h>

enum top_action { TOP_ACTION_SHOW, TOP_ACTION_HELP };

enum top_weight {
    TOP_WEIGHT_PERIOD, // the time an event stands for; 1 where the file has none
    TOP_WEIGHT_METRIC_VALUE,
    TOP_WEIGHT_METRIC_DELTA,
};

enum top_key {
    TOP_KEY_FUNCTION,
    TOP_KEY_PROCESS,
    TOP_KEY_THREAD,
    TOP_KEY_CATEGORY,
    TOP_KEY_CNT,
};

struct top_options {
    enum top_action action;
    enum top_weight weight;
    const char *metric; // without "metric_"; for the two metric weights
    bool shows[TOP_KEY_CNT];
    uint32_t max_rows;    // per table
    const char *category; // only events of this one; NULL = all
    const char *filter;   // only samples that it takes; NULL = all
    struct selection_range range;
    bool is_json;
    char **files; // borrowed from argv
    int file_cnt;
};

bool top_options_parse(struct top_options *options, int argc, char **argv, struct error *err);

// The text of --help; static.
const char *top_options_help(void);

// "function", "process", ...; static.
const char *top_key_name(enum top_key key);

#endif

// SPDX-License-Identifier: Apache-2.0
// The options that report, heatmap, flamegraph, diff, export, script, convert, merge
// and split share, as a struct; each command has those that mean something for it.
#ifndef FLAME_PROF_CLI_VIEW_OPTIONS_H
#define FLAME_PROF_CLI_VIEW_OPTIONS_H

#include "base/error.h"
#include "query/selection.h"

#include <stdbool.h>
#include <stdint.h>

enum view_command {
    VIEW_HEATMAP = 1 << 0,
    VIEW_FLAMEGRAPH = 1 << 1,
    VIEW_DIFF = 1 << 2,
    VIEW_EXPORT = 1 << 3,
    VIEW_CONVERT = 1 << 4,
    VIEW_MERGE = 1 << 5,
    VIEW_SPLIT = 1 << 6,
    VIEW_SCRIPT = 1 << 7,
    VIEW_INFO = 1 << 8,
    VIEW_REPORT = 1 << 8,
};

struct view_options {
    bool wants_help;
    bool is_json;
    const char *metric; // NULL = the default
    const char *filter; // NULL = all samples
    struct selection_range range;
    struct selection_range before; // diff of two ranges of one file
    struct selection_range after;
    bool has_before;
    bool has_after;
    const char *norm;       // diff; NULL = the default
    const char *categories; // comma separated; NULL = the default
    const char *focus;      // a pattern
    bool is_reversed;
    bool splits_lines;
    uint32_t row_cnt;    // of a heatmap's column; 0 = the default
    uint64_t column_ns;  // 0 = the default
    uint64_t every_ns;   // length of a part; 0 = not given
    uint32_t max_nodes;  // 0 = all
    uint32_t max_rows;   // of a table
    uint32_t width;      // of the terminal; 0 = as it is
    uint32_t depth;      // lines of a flame graph; 0 = all
    const char *colours; // "auto", "never", "256", "true"
    const char *format;  // export
    const char *output;  // NULL = standard output
    char **files;        // borrowed from argv
    int file_cnt;
};

bool view_options_parse(struct view_options *options, enum view_command command, int argc,
                        char **argv, struct error *err);

// A time as --from has it: 2.5 (seconds), 500ms, 1min. False, with the reason.
bool view_options_time(const char *option, const char *value, uint64_t *time_ns, struct error *err);

// The lines of --help about the options that the command has; to stdout.
void view_options_print_help(enum view_command command);

#endif

// SPDX-License-Identifier: Apache-2.0
// Reads one file of perf-script text, or a capture, to its last sample.
#ifndef FLAME_PROF_CLI_PROFILE_FILE_H
#define FLAME_PROF_CLI_PROFILE_FILE_H

#include "base/error.h"
#include "query/selection.h"
#include "store/perf_script_reader.h"

#include <stdbool.h>

// False, with the reason, when the file cannot be opened or breaks off; what was
// read before has been handed over, and `stats` is right either way.
bool profile_file_read(const char *path, const struct perf_script_handler *handler,
                       struct perf_script_stats *stats, struct error *err);

// Of files of any kind together only what a range (NULL = all) and a filter (NULL = all)
// take.
bool profile_file_read_some(char **paths, int cnt, const struct selection_range *range,
                            const struct filter *filter, const struct perf_script_handler *handler,
                            struct perf_script_stats *stats, struct error *err);

// Writes text of unknown origin to stdout: nothing in it reaches the terminal as
// a control sequence.
void profile_file_print_text(struct text text);

#endif

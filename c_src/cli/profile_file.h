// SPDX-License-Identifier: Apache-2.0
// Reads one perf-script file from its path to its last line.
#ifndef FLAME_PROF_CLI_PROFILE_FILE_H
#define FLAME_PROF_CLI_PROFILE_FILE_H

#include "base/error.h"
#include "store/perf_script_reader.h"

#include <stdbool.h>

// False, with the reason, when the file cannot be opened or breaks off; what was
// read before has been handed over, and `stats` is right either way.
bool profile_file_read(const char *path, const struct perf_script_handler *handler,
                       struct perf_script_stats *stats, struct error *err);

// Writes text of unknown origin to stdout: nothing in it reaches the terminal as
// a control sequence.
void profile_file_print_text(struct text text);

#endif

// SPDX-License-Identifier: Apache-2.0
// The samples of a profile as the events of perf-script text, for what reads those:
// captures, and what a filter takes.
#ifndef FLAME_PROF_CLI_PROFILE_REPLAY_H
#define FLAME_PROF_CLI_PROFILE_REPLAY_H

#include "base/error.h"
#include "query/selection.h"
#include "store/perf_script_reader.h"

// Facts, then events in the order of time, categories as outermost frames again. Adds to
// `stats`. False, with the reason, when memory is short or a column cannot be read.
bool profile_replay(const struct selection *selection, const struct perf_script_handler *handler,
                    struct perf_script_stats *stats, struct error *err);

#endif

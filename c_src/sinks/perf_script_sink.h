// SPDX-License-Identifier: Apache-2.0
// perf-script text, as docs/perf-script-format.md has it.
#ifndef FLAME_PROF_SINKS_PERF_SCRIPT_SINK_H
#define FLAME_PROF_SINKS_PERF_SCRIPT_SINK_H

#include "sinks/sink.h"

extern const struct sink PERF_SCRIPT_SINK;

#endif

// SPDX-License-Identifier: Apache-2.0
// The capture file, docs/capture-format.md. Holds samples back until it is flushed.
#ifndef FLAME_PROF_SINKS_CAPTURE_SINK_H
#define FLAME_PROF_SINKS_CAPTURE_SINK_H

#include "sinks/sink.h"

extern const struct sink CAPTURE_SINK;

#endif

// SPDX-License-Identifier: Apache-2.0
// One observation with its names resolved: what record/ hands to a sink.
#ifndef FLAME_PROF_MODEL_SAMPLE_H
#define FLAME_PROF_MODEL_SAMPLE_H

#include "base/text.h"
#include "model/metric.h"

#include <stdint.h>

struct frame {
    uint64_t address; // 0 for a category or a gap
    struct text name; // as the symbol table has it: sinks escape
    uint32_t line;    // source line, 0 = unknown
    // Number of the string table that has name and file, unless they are constants: with the
    // same number the same place is the same text. 0: their bytes may change.
    uint32_t texts;
    struct text file; // source file, object path or "[kernel.kallsyms]"
    // What the sink in use made of the above (sinks/sink.h), to be written as it is;
    // empty where nobody has kept it.
    struct text shown;
};

// All pointers are borrowed for the call that takes the sample.
struct sample {
    uint64_t time_ns;   // CLOCK_MONOTONIC
    uint64_t period_ns; // the time this sample stands for: wall (BEAM walker) or CPU (system)
    uint32_t cpu;
    uint32_t pid; // OS process
    uint32_t tid; // OS thread, or the Erlang process number
    struct text category;
    // What the sink made of the code in its stack (sinks/sink.h): `frames` are then its
    // categories alone. 0: it was not asked.
    uint32_t stack;
    const struct frame *frames; // leaf first, category frames last
    uint32_t frame_cnt;
    const struct metric_value *metrics; // session->metric_cnt of them
};

#endif

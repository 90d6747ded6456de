// SPDX-License-Identifier: Apache-2.0
// What a sample lacks as the source hands it over is added while its process still lives:
// its process is read and gets unwind tables, its stack is walked if that is still to do,
// and the code generation of an Erlang VM is noted. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_SAMPLE_COMPLETION_H
#define FLAME_PROF_RECORD_SYSTEM_SAMPLE_COMPLETION_H

#include "capture/system/mapping_events.h"
#include "capture/system/process_history.h"
#include "capture/system/system_source.h"
#include "record/system/beam_names.h"
#include "record/system/unwind_tables.h"

#include <stdint.h>

// All borrowed, and valid as long as this is.
struct sample_completion {
    struct system_source *source;
    struct mapping_events *mappings; // the source's; NULL: /proc alone
    struct process_history *history;
    struct unwind_tables *tables;
    struct beam_names *beams;
    uint64_t walked[SYSTEM_MAX_FRAMES]; // frames of a stack that is walked here
};

// Has the history ask the kernel's notes of mappings, where there are any. The other fields
// are set.
void sample_completion_init(struct sample_completion *completion);

// `now_ns`: when the source was drained. The frames and the snapshot of `sample` are valid
// until the next call.
void sample_completion_complete(struct sample_completion *completion, struct system_sample *sample,
                                uint64_t now_ns);

#endif

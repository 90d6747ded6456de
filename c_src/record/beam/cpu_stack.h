// SPDX-License-Identifier: Apache-2.0
// Turns what the signal handler noted into one stack: native frames, the BIF or NIF
// they belong to, Erlang frames down to the start of the process; and tells what
// the scheduler was at. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_CPU_STACK_H
#define FLAME_PROF_RECORD_BEAM_CPU_STACK_H

#include "capture/beam/bif_table.h"
#include "capture/beam/cpu_sample.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/register_roles.h"
#include "capture/beam/scheduler_state.h"
#include "model/sample.h"
#include "record/beam/process_names.h"
#include "symbols/beam/aux_work.h"
#include "symbols/beam/code_map.h"
#include "symbols/beam/native_code.h"

#include <stdbool.h>
#include <stdint.h>

// What names come from; all borrowed.
struct cpu_stack_sources {
    const struct otp_layout *layout;
    const struct register_roles *roles;
    const struct code_map *code;
    struct native_code *native;
    const struct bif_table *bifs;
    const struct aux_work *aux;
    struct process_names *names;
    bool flatten_recursive;
    uint32_t max_frames; // longer stacks keep both ends
};

enum {
    CPU_STACK_MAX_NATIVE = 64,
    // Native ones twice, as a BIF's and a NIF's, some notes, and one per Erlang word.
    CPU_STACK_MAX_FRAMES = 2 * CPU_STACK_MAX_NATIVE + 32 + CPU_SAMPLE_WHOLE_WORDS,
};

struct cpu_stack {
    enum scheduler_state state;
    bool is_complete;  // from the instruction to the start of the process
    bool has_unknown;  // a frame without a name
    bool is_truncated; // frames are left out in the middle
    bool has_caller;   // the Erlang code that called C code, and its registers
    uint64_t caller[CPU_REGISTER_CNT];
    uint32_t frame_cnt; // leaf first
    struct frame frames[CPU_STACK_MAX_FRAMES];
    char cut_text[40]; // of the frame that stands for those cut out
};

void cpu_stack_build(const struct cpu_stack_sources *sources, const struct cpu_sample *sample,
                     struct cpu_stack *stack);

#endif

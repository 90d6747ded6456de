// SPDX-License-Identifier: Apache-2.0
// Which functions of the emulator do the VM's own jobs between two processes (microstate
// "aux": handle_aux_work, thread progress; erl_process.c, erl_thr_progress.c). The
// function that does most of them is static and has no symbol in a stripped VM: it is the
// one that calls the exported functions of single jobs, which nobody else calls. None is
// found where the VM hides those as well (OTP 29). Writer's thread only; constant once
// found.
#ifndef FLAME_PROF_SYMBOLS_BEAM_AUX_WORK_H
#define FLAME_PROF_SYMBOLS_BEAM_AUX_WORK_H

#include "symbols/beam/native_code.h"

#include <stdbool.h>
#include <stdint.h>

enum { AUX_WORK_MAX = 32 };

struct aux_work {
    uint64_t functions[AUX_WORK_MAX]; // where they begin
    uint32_t cnt;
};

// Reads the program's code once, some milliseconds of CPU time.
void aux_work_find(struct aux_work *aux, struct native_code *native);

bool aux_work_has(const struct aux_work *aux, uint64_t function_start);

#endif

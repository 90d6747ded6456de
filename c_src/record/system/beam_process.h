// SPDX-License-Identifier: Apache-2.0
// Tells Erlang VMs from other processes, and what the unwinder must know of one. Plain
// data; any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_PROCESS_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_PROCESS_H

#include "capture/system/process_history.h"
#include "capture/system/unwind_store.h"

#include <stdbool.h>
#include <stdint.h>

struct beam_process {
    bool is_beam;
    uint32_t erts_major; // 13 is that of OTP 25; 0 = not known
    struct unwind_beam_layout layout;
};

// By the program it runs (beam.smp, of erts-VERSION).
struct beam_process beam_process_of(const struct process *process);

// Did the JIT of this VM make the code in this mapping?
bool beam_process_made(const struct process *process, const struct process_mapping *mapping);

#endif

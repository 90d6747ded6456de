// SPDX-License-Identifier: Apache-2.0
// Which scheduler of an Erlang VM a thread is, by the name that the VM gives it. Any
// thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_SCHEDULER_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

struct beam_scheduler {
    const char *kind; // "scheduler", "dirty_cpu", "dirty_io"; static
    uint32_t number;
};

// `comm` as the kernel has it, 15 bytes at most: `2_scheduler`, `1_dirty_cpu_sch` (OTP 25),
// `erts_sched_2`, `erts_dcpus_1`, `erts_dios_1` (later). False for other threads.
bool beam_scheduler_parse(const char *comm, struct beam_scheduler *scheduler);

#endif

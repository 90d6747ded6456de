// SPDX-License-Identifier: Apache-2.0
// Which OS thread is which scheduler, by the names the VM gives its threads
// (erl_process.c, sched_thread_func). Control path.
#ifndef FLAME_PROF_CAPTURE_BEAM_SCHEDULER_THREADS_H
#define FLAME_PROF_CAPTURE_BEAM_SCHEDULER_THREADS_H

#include "capture/beam/scheduler_table.h"

#include <stdbool.h>
#include <stdint.h>

struct scheduler_thread {
    int32_t tid;
    enum scheduler_kind kind;
    uint32_t no;
};

// "2_scheduler", "2_dirty_cpu_sch", "2_dirty_io_sche" (OTP 25), "erts_sched_2",
// "erts_dcpus_2", "erts_dios_2" (OTP 26 on; names are cut at 15 characters).
bool scheduler_thread_parse(const char *comm, struct scheduler_thread *thread_ret);

// Threads of this process, at most `max_cnt`; how many.
uint32_t scheduler_threads_list(struct scheduler_thread *threads, uint32_t max_cnt);

#endif

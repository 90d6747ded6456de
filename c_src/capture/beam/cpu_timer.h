// SPDX-License-Identifier: Apache-2.0
// A clock that ticks with the CPU time of one thread of this process and signals
// that thread. Up to the kernel's tick a POSIX timer does it without any right;
// above that a perf event, where the host allows it. Control path.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_TIMER_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_TIMER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum cpu_timer_kind { CPU_TIMER_NONE, CPU_TIMER_POSIX, CPU_TIMER_PERF_EVENT };

struct cpu_timer {
    enum cpu_timer_kind kind;
    int id; // of the POSIX timer, or the perf event's descriptor
};

// Starts a timer that sends `signal_number` to thread `tid` after each
// `interval_ns` of its CPU time, with `value` as si_value (POSIX) or the descriptor
// as si_fd (perf event).
bool cpu_timer_start(struct cpu_timer *timer, enum cpu_timer_kind kind, int32_t tid,
                     int signal_number, void *value, uint64_t interval_ns, struct error *err);

// A signal may still be under way afterwards. Harmless twice.
void cpu_timer_stop(struct cpu_timer *timer);

#endif

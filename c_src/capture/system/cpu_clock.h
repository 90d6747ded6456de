// SPDX-License-Identifier: Apache-2.0
// The clock of one CPU, or a counter of it: a perf event that calls a BPF program every
// period.
// One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CPU_CLOCK_H
#define FLAME_PROF_CAPTURE_SYSTEM_CPU_CLOCK_H

#include "base/error.h"
#include "capture/system/system_event.h"

#include <stdbool.h>
#include <stdint.h>

struct bpf_link;
struct bpf_program;

// A zeroed struct is closed.
struct cpu_clock {
    struct bpf_link *link; // owns the event
    int fd;                // of the event
};

enum cpu_clock_result {
    CPU_CLOCK_OPEN,
    CPU_CLOCK_NO_CPU, // went offline meanwhile
    CPU_CLOCK_FAILED, // err says why
};

// `period`: ns, or how many of `event`; `event` is any but off-CPU and run-queue time. The
// program's cookie is period << 8 | event.
enum cpu_clock_result cpu_clock_open(struct cpu_clock *clock, uint32_t cpu, enum system_event event,
                                     uint64_t period, const struct bpf_program *program,
                                     struct error *err);
// What perf_event_open(2) calls `event`, which is any but off-CPU and run-queue time.
void cpu_clock_kind(enum system_event event, uint32_t *type, uint64_t *config);
// From now on. False when the kernel refuses.
bool cpu_clock_set_period(const struct cpu_clock *clock, uint64_t period);
bool cpu_clock_is_open(const struct cpu_clock *clock);
void cpu_clock_close(struct cpu_clock *clock);

#endif

// SPDX-License-Identifier: Apache-2.0
// One scheduler thread as the signal handler sees it: where its data is, and the
// ring its samples go to. The handler runs on that thread and is the ring's only
// producer; the writer's thread is its consumer. Where signals are refused a thread of
// ours (capture/beam/cpu_watch.h) is the producer.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_SLOT_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_SLOT_H

#include "base/spsc_ring.h"
#include "base/tick_clock.h"
#include "capture/beam/cpu_sample.h"
#include "capture/beam/otp_layout.h"
#include "capture/beam/register_roles.h"
#include "capture/beam/seen_processes.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Every way out of the handler.
enum cpu_outcome {
    CPU_OUTCOME_TAKEN,
    CPU_OUTCOME_RING_FULL,
    CPU_OUTCOME_DISARMED, // a signal that was under way
    CPU_OUTCOME_CNT
};

// What the handler reads first comes first: a few cache lines.
struct cpu_slot {
    const struct otp_layout *layout;         // constant while armed
    const _Atomic uint32_t *code_generation; // of the walker
    struct seen_processes *seen;             // shared by all slots
    uint64_t scheduler;                      // address of ErtsSchedulerData
    uint64_t interval_ns;                    // CPU time between two samples
    int32_t tid;
    int32_t os_pid;
    uint16_t kind; // enum scheduler_kind
    uint16_t no;
    struct register_roles roles;
    _Atomic bool armed;
    _Atomic bool may_guard; // guarded loads are ours to use; else process_vm_readv
    struct spsc_ring ring;
    struct tick_clock clock;                    // as the consumer sets it
    _Atomic uint64_t outcomes[CPU_OUTCOME_CNT]; // in samples, overruns included
};

// The body of the handler. Async-signal-safe; bounded: at most about 15 KiB are
// copied.
void cpu_slot_take(struct cpu_slot *slot, uint64_t period_cnt, const void *ucontext);

// From another thread, for `period_ns` of CPU time that the scheduler has used: which
// process it runs, and that one's stack as last stored. False, and nothing noted, when
// the scheduler sleeps: whoever used that time is not there any more.
bool cpu_slot_look(struct cpu_slot *slot, uint64_t period_ns);

#endif

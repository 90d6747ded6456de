// SPDX-License-Identifier: Apache-2.0
// The CPU-time engine: a clock per scheduler thread that signals the thread itself
// after each interval of its CPU time, and a handler that notes what it was doing.
// Where signals or timers are refused, a thread that watches (capture/beam/cpu_watch.h).
// One per process. x86-64 Linux.
//
// The handler stays installed, and this library in memory, once it was used: a
// signal may be under way when its timer is gone, and its default action would end
// the VM. Without a running sampler it returns at once.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_SAMPLER_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_SAMPLER_H

#include "base/error.h"
#include "capture/beam/cpu_slot.h"
#include "capture/beam/cpu_timer.h"
#include "capture/beam/cpu_watch.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/scheduler_table.h"

#include <stdbool.h>
#include <stdint.h>

enum cpu_method {
    CPU_METHOD_AUTO,    // signals, and where they are refused watching
    CPU_METHOD_SIGNAL,  // or nothing
    CPU_METHOD_FOREIGN, // a thread that watches: approximate
};

struct cpu_sampler_options {
    enum cpu_method method;
    uint32_t rate_hz;  // samples per second of CPU time and thread
    size_t ring_bytes; // per normal scheduler; dirty ones get half
    enum reader_kind reader;
    struct register_roles roles; // REGISTER_ROLES_KNOWN, or what is to be refused
};

struct cpu_sampler {
    struct cpu_sampler_options options;
    struct memory_reader reader; // holds the fault handlers while armed; the consumer's
    bool may_read;               // by it, until the next cpu_sampler_check
    enum cpu_method method;      // in use, never AUTO once started
    struct error refused;        // why AUTO does not signal; code ERROR_NONE otherwise
    struct cpu_watch watch;      // CPU_METHOD_FOREIGN
    struct cpu_slot *slots;      // slot_cnt of them; the handler's are lent by the pool
    struct seen_processes *seen; // of all slots
    struct cpu_timer *timers;    // of the slots
    uint32_t slot_cnt;
    uint32_t taken_cnt;     // slots there are, used or not
    uint32_t abandoned_cnt; // rings that a stuck handler kept
    enum cpu_timer_kind timer_kind;
    bool running;
};

// The most a POSIX timer gives: the kernel's tick. Above it perf events are needed.
enum { CPU_SAMPLER_TIMER_MAX_HZ = 200, CPU_SAMPLER_MAX_HZ = 5000 };

// Called on a scheduler's thread, whose alternate signal stack stands for all. Rates
// above the kernel's tick where perf events are refused fail also with CPU_METHOD_AUTO:
// a lower rate is better than an approximation. On failure nothing is armed. `layout` and
// `code_generation` must outlive the stop.
bool cpu_sampler_start(struct cpu_sampler *sampler, const struct otp_layout *layout,
                       const struct scheduler_table *table, const _Atomic uint32_t *code_generation,
                       const struct cpu_sampler_options *options, struct error *err);

// A few times a second, by the consumer: are guarded loads still ours, and what time is it?
void cpu_sampler_check(struct cpu_sampler *sampler);

// No sample is produced after it returns. What is in the rings stays there.
// Harmless twice.
void cpu_sampler_stop(struct cpu_sampler *sampler);

// After cpu_sampler_stop, when the rings are no longer needed.
void cpu_sampler_deinit(struct cpu_sampler *sampler);

// CPU time of our own thread, if there is one.
uint64_t cpu_sampler_thread_ns(const struct cpu_sampler *sampler);

// Sum over all threads.
uint64_t cpu_sampler_outcome_cnt(const struct cpu_sampler *sampler, enum cpu_outcome outcome);

#endif

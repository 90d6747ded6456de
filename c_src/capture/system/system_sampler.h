// SPDX-License-Identifier: Apache-2.0
// Samples what runs on every CPU by a BPF program on the CPUs' clocks. Needs
// Linux 5.15 with BTF, and root or CAP_BPF + CAP_PERFMON. One owner, one thread:
// the handler runs inside system_sampler_drain, _drain_on and _flush_blocked, nowhere else.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_H

#include "base/error.h"
#include "base/text.h"
#include "capture/system/exit_watch.h"
#include "capture/system/system_filter.h"
#include "capture/system/system_sample.h"
#include "capture/system/unwind_store.h"

#include <stdbool.h>
#include <stdint.h>

enum system_scope {
    SYSTEM_SCOPE_HOST,      // every process
    SYSTEM_SCOPE_PROCESSES, // those given, with all their threads
    SYSTEM_SCOPE_TREES,     // those given and what they fork from now on
};

enum {
    SYSTEM_SAMPLER_MIN_RING_BYTES = 4096,
    SYSTEM_SAMPLER_MAX_RING_BYTES = 1 << 30,
    SYSTEM_SAMPLER_DEFAULT_RING_BYTES = 4 << 20, // where the rate does not say
    SYSTEM_SAMPLER_MAX_SWITCHES = 5000,          // per second and CPU, whose stacks are taken
};

struct system_sampler_options {
    uint64_t period_ns; // CPU time between two samples of the clock; >= 10000; 0 = no clock
    struct system_event_choice events; // besides the clock, whose value is not looked at
    uint32_t ring_bytes;               // rounded up to a power of two; 0 = by the rate
    enum system_scope scope;
    const uint32_t *pids; // borrowed for the call
    uint32_t pid_cnt;
    uint32_t excluded_pid;                     // never sampled; 0 = nobody
    const struct system_filter *filter;        // borrowed for the call; NULL = everybody
    const char (*exit_names)[EXIT_COMM_BYTES]; // borrowed for the call: system_sampler_exits
    uint32_t exit_name_cnt;
};

// Called for each sample, which may be changed; order is that of the ring: nearly that of time.
typedef void (*system_sample_handler)(void *context, struct system_sample *sample);

// Since the start, over all CPUs. Every tick is in one place:
// ticks = idle + excluded + samples + ring_full. What never ticked is missed.
struct system_ticks {
    uint64_t ticks;
    uint64_t missed; // the kernel skipped the tick (throttled, CPU stolen)
    uint64_t idle;
    uint64_t excluded; // filtered out or the excluded process
    uint64_t samples;  // in the ring, or drained from it
    uint64_t ring_full;
    uint64_t implausible; // records that contradict themselves; none, if we made no mistake
    uint32_t cpu_cnt;     // sampled now
};

// Of an event besides the clock, since the start, over all CPUs. What was due is samples +
// ring_full + limited + no_room + implausible; threads that have not come back yet are in none.
struct system_event_counts {
    uint64_t seen;
    uint64_t excluded;
    uint64_t skipped; // below the shortest time
    uint64_t limited; // more per second and CPU than SYSTEM_SAMPLER_MAX_SWITCHES
    uint64_t no_room; // more threads off their CPU than there is room for
    uint64_t samples;
    uint64_t ring_full;
    uint64_t implausible;
};

struct system_sampler;

// Loads the BPF program; nothing is sampled yet. NULL, with the reason.
struct system_sampler *system_sampler_create(const struct system_sampler_options *options,
                                             system_sample_handler handler, void *context,
                                             struct error *err);

// Stops, too. NULL is fine.
void system_sampler_destroy(struct system_sampler *sampler);

// Starts the clock of every CPU that is online.
bool system_sampler_start(struct system_sampler *sampler, struct error *err);

// Ticks of the clock come at `percent` of the period asked for from now on, 100 or more; a
// sample weighs accordingly. Stacks at switches become rarer likewise.
void system_sampler_set_pace(struct system_sampler *sampler, uint32_t percent);

// Ends sampling; what is in the ring can still be drained. Harmless twice.
void system_sampler_stop(struct system_sampler *sampler);

// Waits until a process shows up that was not seen before, at most
// `timeout_ms`, then hands over the first piece of what there is; true: there is more. Also
// follows CPUs that come and go. A signal ends the wait early.
bool system_sampler_drain(struct system_sampler *sampler, int timeout_ms);

// Hands over the next piece; true: there is more.
bool system_sampler_drain_on(struct system_sampler *sampler);

// How long the next drain may wait, `most_ms` at most: the ring is not filled by much until
// then at the pace it was filled lately. Each waking up finds its memory far away.
int system_sampler_patience_ms(const struct system_sampler *sampler, int most_ms);

// For the handler, when it takes long: the ring is emptied, what was in it is handed over
// afterwards.
void system_sampler_take_over(struct system_sampler *sampler);

// Adds a process to those of SYSTEM_SCOPE_PROCESSES and _TREES.
bool system_sampler_trace(struct system_sampler *sampler, uint32_t pid, struct error *err);

// By which it walks stacks; to be filled by the owner. Valid until _destroy.
// What the kernel calls the place at `address`: "NAME", "NAME [MODULE]", or "0x..." where no
// function is. Valid until it is asked again. False where it does not tell.
bool system_sampler_kernel_name(struct system_sampler *sampler, uint64_t address,
                                struct text *name);

struct unwind_store *system_sampler_unwind_store(struct system_sampler *sampler);

// After the stop: threads that are off their CPU now, each as a sample up to now.
void system_sampler_flush_blocked(struct system_sampler *sampler);

struct system_event_counts system_sampler_event_counts(const struct system_sampler *sampler,
                                                       enum system_event event);

struct system_ticks system_sampler_ticks(const struct system_sampler *sampler);

// Ends of processes whose name is number `i` of exit_names.
struct exit_notice system_sampler_exits(const struct system_sampler *sampler, uint32_t i);

// Nanoseconds since CLOCK_MONOTONIC's zero at which the clocks were started.
uint64_t system_sampler_start_ns(const struct system_sampler *sampler);

// "complete", "bad_frame_pointer", ...; static.
const char *system_stack_end_name(enum system_stack_end end);

#endif

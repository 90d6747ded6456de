// SPDX-License-Identifier: Apache-2.0
// Where schedulers may not be signalled: a thread of our own looks at those that have
// used CPU time since it last looked. Approximate: the stack is the one that the
// process last stored, and what ran and ended between two looks is counted to what is
// seen next. Costs the schedulers nothing.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_WATCH_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_WATCH_H

#include "base/error.h"
#include "capture/beam/cpu_slot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu_watch {
    struct cpu_slot *slots; // borrowed until cpu_watch_stop
    uint32_t slot_cnt;
    uint64_t *noted_ns; // of each thread: its CPU time when its last sample was noted
    uint64_t interval_ns;
    uint64_t jitter;         // state of a generator
    _Atomic uint64_t cpu_ns; // of our thread
    _Atomic bool stopping;
    pthread_t thread;
    bool running;
};

// Looks every `interval_ns`, give or take a quarter: in step with what it looks at it
// would always see the same.
bool cpu_watch_start(struct cpu_watch *watch, struct cpu_slot *slots, uint32_t slot_cnt,
                     uint64_t interval_ns, struct error *err);

// No sample is produced after it returns. Harmless twice.
void cpu_watch_stop(struct cpu_watch *watch);

// For tests: without a thread, one look at each.
bool cpu_watch_init(struct cpu_watch *watch, struct cpu_slot *slots, uint32_t slot_cnt,
                    uint64_t interval_ns);
void cpu_watch_deinit(struct cpu_watch *watch);
void cpu_watch_look(struct cpu_watch *watch);

#endif

// SPDX-License-Identifier: Apache-2.0
// Opens perf events whose samples carry registers and a piece of the stack, and asks the
// kernel which of them it allows. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_EVENT_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_EVENT_H

#include "base/error.h"
#include "capture/system/system_event.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// How far perf events reach.
enum perf_event_reach {
    PERF_EVENT_EVERY_CPU,   // whoever runs there, and the kernel
    PERF_EVENT_OWN,         // processes that we may trace, and the kernel on their behalf
    PERF_EVENT_OWN_USER,    // ... without the kernel
    PERF_EVENT_OUT_OF_REACH // nothing
};

// False, with the reason and PERF_EVENT_OUT_OF_REACH, when nothing is allowed.
bool perf_event_find_reach(enum perf_event_reach *reach_ret, struct error *err);

struct perf_event_wish {
    enum system_event event; // any but off-CPU and run-queue time
    uint64_t period;         // ns, or how many of them
    uint32_t cpu;
    pid_t tid; // -1: whoever runs on the CPU; with those that it creates
    bool sees_kernel;
    bool tells_tasks;     // also of mappings, names, forks and ends
    uint32_t stack_bytes; // copied of each user stack
    uint32_t ring_bytes;  // of the buffer it goes to
    bool wakes_each;      // the reader with each sample, not with a quarter of the buffer
};

// The descriptor, running; -1 with errno. Its records go nowhere before
// perf_event_send_to().
int perf_event_open_sampling(const struct perf_event_wish *wish);

// An event that never happens: owns the buffer that the others of its CPU send to. Of our
// own thread, or with `tid` -1 of the CPU, and then it may tell of tasks.
int perf_event_open_owner(const struct perf_event_wish *wish);

// False with errno.
bool perf_event_send_to(int fd, int owner_fd);

#endif

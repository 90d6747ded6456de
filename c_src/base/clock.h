// SPDX-License-Identifier: Apache-2.0
// Time: CLOCK_MONOTONIC everywhere, in nanoseconds, with one anchor to the wall
// clock so that streams of one host merge. Any thread.
#ifndef FLAME_PROF_BASE_CLOCK_H
#define FLAME_PROF_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { CLOCK_NS_PER_US = 1000, CLOCK_NS_PER_MS = 1000000, CLOCK_NS_PER_S = 1000000000 };

// The same instant on both clocks.
struct clock_anchor {
    uint64_t monotonic_ns;
    uint64_t unix_ns;
};

// Nanoseconds of CLOCK_MONOTONIC.
uint64_t clock_monotonic_ns(void);

// CPU time of the calling thread in nanoseconds.
uint64_t clock_thread_cpu_ns(void);

// The clock of the CPU time of thread `tid` of this process, and what it says; false
// when there is no such thread (any more).
clockid_t clock_id_of_thread(int32_t tid);
bool clock_cpu_of_thread_ns(int32_t tid, uint64_t *ns_ret);

// Reads both clocks next to each other.
struct clock_anchor clock_anchor_now(void);

// The CPU's time stamp counter, of a constant but unknown rate; 0 where there is none.
uint64_t clock_ticks(void);

// Sleeps until CLOCK_MONOTONIC reaches `deadline_ns`; interrupted sleeps go on.
void clock_sleep_until_ns(uint64_t deadline_ns);

#endif

// SPDX-License-Identifier: Apache-2.0
// CLOCK_MONOTONIC from the CPU's time stamp counter alone: for a signal handler, to which
// the kernel's clock costs half a dozen cache lines and as many pages that are in no cache.
// One thread tells it now and then what time it is; any thread asks.
#ifndef FLAME_PROF_BASE_TICK_CLOCK_H
#define FLAME_PROF_BASE_TICK_CLOCK_H

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// One instant on both clocks, and how fast the counter is.
struct tick_clock_rate {
    _Atomic uint64_t ticks;
    _Atomic uint64_t ns;
    _Atomic uint64_t ns_per_tick; // in 1 / 2^32
};

// All zero: the kernel's clock, always.
struct tick_clock {
    _Atomic uint32_t version; // 0 = no rate yet; rates[version % 2] is the last one told
    struct tick_clock_rate rates[2];
    uint64_t begin_ticks; // 0 = the kernel itself does not trust the counter
    uint64_t begin_ns;
};

// Asks the kernel whether it goes by the counter. Until the second tick_clock_adjust at the
// earliest, and for good where it does not, the time is the kernel's.
void tick_clock_init(struct tick_clock *clock);

// A few times a second, by one thread. After a suspension or a move to another machine,
// where the counter jumps, the time is the kernel's until there is a new rate.
void tick_clock_adjust(struct tick_clock *clock);

// What CLOCK_MONOTONIC was when clock_ticks() was `ticks`, a moment ago. Within a few
// microseconds, or what drift there was since the last tick_clock_adjust.
// Async-signal-safe.
static inline uint64_t tick_clock_ns(const struct tick_clock *clock, uint64_t ticks)
{
    uint32_t version = atomic_load_explicit(&clock->version, memory_order_acquire);
    const struct tick_clock_rate *rate = &clock->rates[version % 2];
    int64_t since = (int64_t)(ticks - atomic_load_explicit(&rate->ticks, memory_order_relaxed));
    uint64_t ns = atomic_load_explicit(&rate->ns, memory_order_relaxed);
    uint64_t speed = atomic_load_explicit(&rate->ns_per_tick, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (version == 0 || atomic_load_explicit(&clock->version, memory_order_relaxed) != version) {
        return clock_monotonic_ns();
    }
    return ns + (uint64_t)(int64_t)((__int128)since * (int64_t)speed >> 32);
}

#endif

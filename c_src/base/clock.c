// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: the handler of a CPU timer reads the clock.
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

struct clock_anchor clock_anchor_now(void)
{
    uint64_t before_ns = read_ns(CLOCK_MONOTONIC);
    uint64_t unix_ns = read_ns(CLOCK_REALTIME);
    uint64_t after_ns = read_ns(CLOCK_MONOTONIC);
    return (struct clock_anchor){
        .monotonic_ns = before_ns + (after_ns - before_ns) / 2,
        .unix_ns = unix_ns,
    };
}

uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

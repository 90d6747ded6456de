// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: the handler of a CPU timer reads the clock.
#include "base/clock.h"

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

// MAKE_THREAD_CPUCLOCK(tid, CPUCLOCK_SCHED), include/linux/posix-timers_types.h; glibc
// has no name for it.
clockid_t clock_id_of_thread(int32_t tid)
{
    return (clockid_t)((~(uint32_t)tid << 3) | 6U);
}

bool clock_cpu_of_thread_ns(int32_t tid, uint64_t *ns_ret)
{
    struct timespec now;
    bool ok = clock_gettime(clock_id_of_thread(tid), &now) == 0;
    if (ok) {
        *ns_ret = (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
    }
    return ok;
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

// SPDX-License-Identifier: Apache-2.0
// Apart from clock.c, which signal handlers call.
#include "base/clock.h"

#include <errno.h>
#include <time.h>

void clock_sleep_until_ns(uint64_t deadline_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / CLOCK_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % CLOCK_NS_PER_S),
    };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "record/system/own_cost.h"

#include "base/clock.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * CLOCK_NS_PER_S + (uint64_t)time.tv_usec * CLOCK_NS_PER_US;
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*u %lu", &pages) != 1) {
        pages = 0;
    }
    (void)fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct own_cost own_cost_now(void)
{
    struct rusage usage;
    struct own_cost cost = {.rss_bytes = resident_bytes()};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        cost.cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
    }
    return cost;
}

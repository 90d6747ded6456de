// SPDX-License-Identifier: Apache-2.0
#include "record/beam/handler_times.h"

#include "base/clock.h"

void handler_times_begin(struct handler_times *times)
{
    *times = (struct handler_times){.begin_ns = clock_monotonic_ns(), .begin_ticks = clock_ticks()};
}

void handler_times_add(struct handler_times *times, uint32_t ticks)
{
    uint64_t elapsed_ns = clock_monotonic_ns() - times->begin_ns;
    uint64_t elapsed_ticks = clock_ticks() - times->begin_ticks;
    uint64_t ns = elapsed_ticks == 0
                      ? 0
                      : (uint64_t)((double)ticks * (double)elapsed_ns / (double)elapsed_ticks);
    uint64_t bucket = ns / HANDLER_TIMES_BUCKET_NS;
    times->total_ns += ns;
    times->cnt[bucket < HANDLER_TIMES_BUCKETS ? bucket : HANDLER_TIMES_BUCKETS - 1]++;
}

uint64_t handler_times_median_ns(const struct handler_times *times)
{
    uint64_t total = 0;
    uint64_t below = 0;
    for (int i = 0; i < HANDLER_TIMES_BUCKETS; i++) {
        total += times->cnt[i];
    }
    for (int i = 0; i < HANDLER_TIMES_BUCKETS; i++) {
        below += times->cnt[i];
        if (total > 0 && below * 2 >= total) {
            return (uint64_t)i * HANDLER_TIMES_BUCKET_NS + HANDLER_TIMES_BUCKET_NS / 2;
        }
    }
    return 0;
}

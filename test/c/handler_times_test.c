// SPDX-License-Identifier: Apache-2.0
// The median of many times, whatever a tick of this machine's counter is.
#include "record/beam/handler_times.h"

#include "base/clock.h"
#include "test.h"

static struct handler_times times;

// Ticks of so many nanoseconds.
static uint32_t ticks_of_ns(double ns)
{
    uint64_t elapsed_ns = clock_monotonic_ns() - times.begin_ns;
    uint64_t elapsed_ticks = clock_ticks() - times.begin_ticks;
    return (uint32_t)(ns * (double)elapsed_ticks / (double)elapsed_ns);
}

static void begin(void)
{
    handler_times_begin(&times);
    clock_sleep_until_ns(times.begin_ns + 20 * CLOCK_NS_PER_MS);
}

TEST(there_is_no_median_of_nothing)
{
    handler_times_begin(&times);
    CHECK(handler_times_median_ns(&times) == 0);
    CHECK(times.total_ns == 0);
}

TEST(the_median_is_the_middle_one_s_and_the_sum_all_of_them)
{
    begin();
    if (clock_ticks() == times.begin_ticks) {
        TEST_SKIP("no counter of ticks here");
    }
    for (int i = 0; i < 3; i++) {
        handler_times_add(&times, ticks_of_ns(1050));
    }
    handler_times_add(&times, ticks_of_ns(250));
    handler_times_add(&times, ticks_of_ns(1000 * 1000));
    CHECK(handler_times_median_ns(&times) >= 950 && handler_times_median_ns(&times) <= 1150);
    CHECK(times.cnt[HANDLER_TIMES_BUCKETS - 1] == 1);
    CHECK(times.total_ns > 990 * 1000 && times.total_ns < 1020 * 1000);
}

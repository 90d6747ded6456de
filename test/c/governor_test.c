// SPDX-License-Identifier: Apache-2.0
#include "record/system/governor.h"

#include "base/clock.h"
#include "test.h"

static struct governor governor;
static uint64_t now_ns;
static uint64_t cpu_ns;

static void begin(double cpu_percent, uint64_t memory_bytes)
{
    struct governor_limits limits = {
        .cpu_percent = cpu_percent, .memory_bytes = memory_bytes, .cpu_cnt = 2};
    now_ns = CLOCK_NS_PER_S;
    cpu_ns = 123;
    governor_init(&governor, &limits);
    CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 0), GOVERNOR_NONE);
}

// A window of 5 s in which so much of the machine was used.
static enum governor_decision window(double percent)
{
    now_ns += 5ULL * CLOCK_NS_PER_S;
    cpu_ns += (uint64_t)(percent / 100 * 2 * 5 * CLOCK_NS_PER_S);
    return governor_look(&governor, now_ns, cpu_ns, 0);
}

TEST(within_the_budget_nothing_happens)
{
    begin(1, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(window(0.99), GOVERNOR_NONE);
    }
    CHECK_UINT(governor.stretch, 100);
}

TEST(as_far_as_the_excess_asks_for)
{
    begin(0.5, 0);
    CHECK_INT(window(1), GOVERNOR_STRETCH);
    CHECK_UINT(governor.stretch, 220);
    CHECK_STR(governor.note, "intervals are 220 % of what was asked for, CPU was 1.00 % of the "
                             "machine, 0.5 % is allowed");
    CHECK_INT(window(0.55), GOVERNOR_STRETCH);
    CHECK_UINT(governor.stretch, 275);
    CHECK_UINT(governor.backoffs, 2);
}

TEST(it_recovers_when_there_is_room_for_long)
{
    begin(1, 0);
    CHECK_INT(window(2), GOVERNOR_STRETCH);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(window(0.5), GOVERNOR_NONE);
    }
    CHECK_INT(window(0.5), GOVERNOR_STRETCH);
    CHECK_UINT(governor.stretch, 146);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(window(0.5), GOVERNOR_NONE);
    }
    CHECK_INT(window(0.5), GOVERNOR_STRETCH);
    CHECK_UINT(governor.stretch, 100);
    CHECK_UINT(governor.recoveries, 2);
}

TEST(far_over_it_at_the_slowest_pace_ends_it)
{
    begin(1, 0);
    while (governor.stretch < GOVERNOR_MAX_STRETCH) {
        CHECK_INT(window(50), GOVERNOR_STRETCH);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_INT(window(2.5), GOVERNOR_NONE);
    }
    CHECK_INT(window(2.5), GOVERNOR_STOP);
    CHECK_HAS(governor.note, "stopped by its limit: flameprof uses 2.50 % of the machine");
}

TEST(over_the_memory_budget_room_is_asked_for_three_times)
{
    begin(0, 1000);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 4; j++) {
            CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 1001), GOVERNOR_NONE);
        }
        CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 1001), GOVERNOR_SHRINK);
    }
    CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 1000), GOVERNOR_NONE);
    for (int j = 0; j < 4; j++) {
        CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 1001), GOVERNOR_NONE);
    }
    CHECK_INT(governor_look(&governor, now_ns, cpu_ns, 1001), GOVERNOR_STOP);
    CHECK_HAS(governor.note, "more than --max-memory 1000");
}

TEST(without_limits_it_never_decides)
{
    begin(0, 0);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(window(100), GOVERNOR_NONE);
    }
}

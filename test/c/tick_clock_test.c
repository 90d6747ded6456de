// SPDX-License-Identifier: Apache-2.0
// The counter's clock says what the kernel's says, or is the kernel's.
#include "base/tick_clock.h"

#include "test.h"

enum { SLACK_NS = 1000 * 1000 };

static struct tick_clock ticking;

// Between two looks at the kernel's clock, however long we are kept from looking.
static void check_now(void)
{
    uint64_t before_ns = clock_monotonic_ns();
    uint64_t now_ns = tick_clock_ns(&ticking, clock_ticks());
    uint64_t after_ns = clock_monotonic_ns();
    CHECK(now_ns + SLACK_NS >= before_ns);
    CHECK(now_ns <= after_ns + SLACK_NS);
}

static void sleep_ms(uint64_t ms)
{
    clock_sleep_until_ns(clock_monotonic_ns() + ms * CLOCK_NS_PER_MS);
}

// A look that something came between tells nothing: then the next one does.
static void adjust_until(bool has_rate)
{
    for (int i = 0; i < 100 && (ticking.version != 0) != has_rate; i++) {
        sleep_ms(60);
        tick_clock_adjust(&ticking);
    }
}

TEST(it_is_the_kernels_until_it_has_a_rate)
{
    check_now(); // all zero
    tick_clock_init(&ticking);
    check_now();
    tick_clock_adjust(&ticking);
    check_now();
}

TEST(it_agrees_with_the_kernels)
{
    tick_clock_init(&ticking);
    for (int i = 0; i < 4; i++) {
        sleep_ms(60);
        tick_clock_adjust(&ticking);
        check_now();
    }
    sleep_ms(100);
    check_now();
}

TEST(what_was_a_moment_before_the_rate_was_told_is_before_it)
{
    tick_clock_init(&ticking);
    sleep_ms(60);
    uint64_t before_ns = clock_monotonic_ns();
    uint64_t ticks = clock_ticks();
    uint64_t after_ns = clock_monotonic_ns();
    adjust_until(true);
    if (ticking.version == 0) {
        TEST_SKIP("this kernel goes by another clock");
    }
    uint64_t then_ns = tick_clock_ns(&ticking, ticks);
    CHECK(then_ns + SLACK_NS >= before_ns && then_ns <= after_ns + SLACK_NS);
}

TEST(after_a_jump_of_the_counter_it_begins_again)
{
    tick_clock_init(&ticking);
    adjust_until(true);
    if (ticking.version == 0) {
        TEST_SKIP("this kernel goes by another clock");
    }
    ticking.rates[ticking.version % 2].ns += UINT64_C(3600) * CLOCK_NS_PER_S;
    adjust_until(false);
    CHECK(ticking.version == 0);
    check_now();
    adjust_until(true);
    CHECK(ticking.version != 0);
    check_now();
}

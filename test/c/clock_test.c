// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "test.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

TEST(monotonic_time_never_goes_back)
{
    uint64_t last_ns = clock_monotonic_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now_ns = clock_monotonic_ns();
        CHECK(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

TEST(the_anchor_is_one_instant_on_both_clocks)
{
    uint64_t before_ns = clock_monotonic_ns();
    time_t before = time(NULL);
    struct clock_anchor anchor = clock_anchor_now();
    time_t after = time(NULL);
    uint64_t after_ns = clock_monotonic_ns();
    CHECK(anchor.monotonic_ns >= before_ns && anchor.monotonic_ns <= after_ns);
    CHECK(anchor.unix_ns / CLOCK_NS_PER_S + 1 >= (uint64_t)before);
    CHECK(anchor.unix_ns / CLOCK_NS_PER_S <= (uint64_t)after);
}

TEST(cpu_time_is_of_this_thread_and_grows)
{
    uint64_t begin_ns = clock_thread_cpu_ns();
    uint64_t now_ns = begin_ns;
    while (now_ns < begin_ns + CLOCK_NS_PER_MS) {
        now_ns = clock_thread_cpu_ns();
    }
    CHECK(now_ns > begin_ns);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal_number)
{
    (void)signal_number;
    alarms = alarms + 1;
}

TEST(an_interrupted_sleep_goes_on)
{
    struct sigaction action;
    const struct itimerval every_ms = {{0, 1000}, {0, 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    memset(&action, 0, sizeof action);
    action.sa_handler = count_alarm; // without SA_RESTART
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every_ms, NULL) == 0);
    // Until some sleep was interrupted, however slow the machine.
    for (int i = 0; i < 100 && alarms < 5; i++) {
        uint64_t deadline_ns = clock_monotonic_ns() + 30ULL * CLOCK_NS_PER_MS;
        clock_sleep_until_ns(deadline_ns);
        CHECK(clock_monotonic_ns() >= deadline_ns);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(alarms >= 5);
}

TEST(a_deadline_in_the_past_does_not_sleep)
{
    clock_sleep_until_ns(0);
    clock_sleep_until_ns(clock_monotonic_ns() - 1);
}

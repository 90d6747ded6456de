// SPDX-License-Identifier: Apache-2.0
// Signals by CPU time: none while a thread sleeps, the right number while it works.
#include "capture/beam/cpu_timer.h"

#include "base/clock.h"
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t ticks;
static int marker;
static _Atomic bool right_value;

static void on_tick(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (info->si_code == SI_TIMER) {
        right_value = info->si_value.sival_ptr == &marker;
        ticks += 1 + (uint64_t)info->si_overrun;
    } else {
        ticks++;
    }
}

static int listen(void)
{
    int number = SIGRTMIN + 9;
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = on_tick;
    sigaction(number, &action, NULL);
    ticks = 0;
    return number;
}

static void burn(uint64_t ns)
{
    uint64_t end_ns = clock_thread_cpu_ns() + ns;
    while (clock_thread_cpu_ns() < end_ns) {
    }
}

static void check_kind(enum cpu_timer_kind kind)
{
    struct cpu_timer timer;
    struct error err = {0};
    int number = listen();
    if (!cpu_timer_start(&timer, kind, (int32_t)syscall(SYS_gettid), number, &marker,
                         10 * CLOCK_NS_PER_MS, &err)) {
        TEST_SKIP("%s", err.detail);
    }
    burn(500 * CLOCK_NS_PER_MS);
    uint64_t working = ticks;
    clock_sleep_until_ns(clock_monotonic_ns() + 200 * CLOCK_NS_PER_MS);
    uint64_t sleeping = ticks - working;
    cpu_timer_stop(&timer);
    uint64_t before = ticks;
    burn(100 * CLOCK_NS_PER_MS);
    CHECK(working >= 40 && working <= 55);
    CHECK(sleeping <= 1);
    CHECK(ticks - before <= 1);
    cpu_timer_stop(&timer);
}

TEST(a_posix_timer_ticks_with_cpu_time)
{
    check_kind(CPU_TIMER_POSIX);
    CHECK(right_value);
}

TEST(a_perf_event_does_so_too)
{
    check_kind(CPU_TIMER_PERF_EVENT);
}

TEST(a_thread_that_is_not_there_is_told)
{
    struct cpu_timer timer;
    struct error err = {0};
    CHECK(!cpu_timer_start(&timer, CPU_TIMER_POSIX, 0x3FFFFFF, SIGRTMIN + 9, &marker,
                           CLOCK_NS_PER_MS, &err));
    CHECK(strstr(err.detail, "thread 67108863") != NULL);
    CHECK_INT(timer.kind, CPU_TIMER_NONE);
}

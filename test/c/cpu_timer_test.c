// SPDX-License-Identifier: Apache-2.0
// Signals by CPU time: none while a thread sleeps, the right number while it works.
#include "capture/beam/cpu_timer.h"

#include "base/clock.h"
#include "test.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INTERVAL_NS = 10 * CLOCK_NS_PER_MS };

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

// What a hypervisor takes away is the thread's by its clock, and at once: a timer makes one
// signal of it, with an overrun or without.
enum { JUMP_NS = 5 * CLOCK_NS_PER_MS };

static uint64_t jumped_ns;

// How much it was.
static uint64_t burn(uint64_t ns)
{
    uint64_t begin_ns = clock_thread_cpu_ns();
    uint64_t now_ns = begin_ns;
    while (now_ns < begin_ns + ns) {
        uint64_t last_ns = now_ns;
        now_ns = clock_thread_cpu_ns();
        jumped_ns += now_ns - last_ns > JUMP_NS ? now_ns - last_ns : 0;
    }
    return now_ns - begin_ns;
}

static uint64_t rest(uint64_t ns)
{
    uint64_t begin_ns = clock_thread_cpu_ns();
    clock_sleep_until_ns(clock_monotonic_ns() + ns);
    return clock_thread_cpu_ns() - begin_ns;
}

static void check_kind(enum cpu_timer_kind kind)
{
    struct cpu_timer timer;
    struct error err = {0};
    int number = listen();
    if (!cpu_timer_start(&timer, kind, (int32_t)syscall(SYS_gettid), number, &marker, INTERVAL_NS,
                         &err)) {
        TEST_SKIP("%s", err.detail);
    }
    jumped_ns = 0;
    uint64_t worked_ns = burn(500 * CLOCK_NS_PER_MS);
    uint64_t working = ticks;
    uint64_t rested_ns = rest(200 * CLOCK_NS_PER_MS);
    uint64_t sleeping = ticks - working;
    uint64_t late = jumped_ns / INTERVAL_NS; // may be told by the next tick
    cpu_timer_stop(&timer);
    uint64_t before = ticks;
    (void)burn(100 * CLOCK_NS_PER_MS);
    CHECK(working >= (worked_ns - jumped_ns) / INTERVAL_NS * 4 / 5);
    CHECK(working <= worked_ns / INTERVAL_NS * 11 / 10);
    CHECK(sleeping <= 1 + rested_ns / INTERVAL_NS + late);
    CHECK(ticks - before <= 1 + (rested_ns + jumped_ns) / INTERVAL_NS);
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

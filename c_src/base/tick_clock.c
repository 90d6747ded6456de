// SPDX-License-Identifier: Apache-2.0
#include "base/tick_clock.h"

#include <stdio.h>
#include <string.h>

enum {
    MIN_RATE_NS = 50 * CLOCK_NS_PER_MS, // shorter, the rate is not exact enough
    MAX_READ_TICKS = 20000,             // for both clocks; else something came between
    MAX_DRIFT_NS = CLOCK_NS_PER_MS,     // more, and the counter stood still or jumped
    READ_TRIES = 10,
};

// https://www.kernel.org/doc/html/latest/timers/timekeeping.html: a kernel that finds its
// counter unstable or of several minds goes by another clock.
static bool is_trusted(void)
{
    char name[16] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    bool is_read = file != NULL && fgets(name, sizeof name, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_read && strcmp(name, "tsc\n") == 0;
}

// The same instant on both; false when it cannot have been.
static bool read_both(uint64_t *ticks_ret, uint64_t *ns_ret)
{
    uint64_t before = clock_ticks();
    *ns_ret = clock_monotonic_ns();
    uint64_t took = clock_ticks() - before;
    *ticks_ret = before + took / 2;
    return before != 0 && took < MAX_READ_TICKS;
}

void tick_clock_init(struct tick_clock *clock)
{
    uint64_t ticks;
    uint64_t ns;
    memset(clock, 0, sizeof *clock);
    if (!is_trusted()) {
        return;
    }
    for (int i = 0; i < READ_TRIES && clock->begin_ticks == 0; i++) {
        if (read_both(&ticks, &ns)) {
            clock->begin_ticks = ticks;
            clock->begin_ns = ns;
        }
    }
}

static bool has_drifted(const struct tick_clock *clock, uint64_t ticks, uint64_t ns)
{
    int64_t drift = (int64_t)(tick_clock_ns(clock, ticks) - ns);
    return atomic_load_explicit(&clock->version, memory_order_relaxed) != 0 &&
           (drift > MAX_DRIFT_NS || drift < -MAX_DRIFT_NS);
}

// What it was before a suspended machine went on, or one that moved, says nothing of now.
static void begin_again(struct tick_clock *clock, uint64_t ticks, uint64_t ns)
{
    atomic_store_explicit(&clock->version, 0, memory_order_release);
    clock->begin_ticks = ticks;
    clock->begin_ns = ns;
}

void tick_clock_adjust(struct tick_clock *clock)
{
    uint64_t ticks;
    uint64_t ns;
    if (clock->begin_ticks == 0 || !read_both(&ticks, &ns) || ns - clock->begin_ns < MIN_RATE_NS) {
        return;
    }
    if (has_drifted(clock, ticks, ns)) {
        begin_again(clock, ticks, ns);
        return;
    }
    double speed = (double)(ns - clock->begin_ns) / (double)(ticks - clock->begin_ticks);
    uint32_t version = atomic_load_explicit(&clock->version, memory_order_relaxed) + 1;
    struct tick_clock_rate *rate = &clock->rates[version % 2];
    atomic_store_explicit(&rate->ticks, ticks, memory_order_relaxed);
    atomic_store_explicit(&rate->ns, ns, memory_order_relaxed);
    atomic_store_explicit(&rate->ns_per_tick, (uint64_t)(speed * 4294967296.0),
                          memory_order_relaxed);
    atomic_store_explicit(&clock->version, version, memory_order_release);
}

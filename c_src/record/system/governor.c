// SPDX-License-Identifier: Apache-2.0
#include "record/system/governor.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define WINDOW_NS (5ULL * CLOCK_NS_PER_S)
enum {
    // From one decision to the next, in percent of the stretch in force.
    MIN_STEP = 125,
    MAX_STEP = 400,
    // Below this part of the budget, for so many windows, the pace recovers.
    CALM_PERCENT = 60,
    CALM_WINDOWS = 6,
    // Above so many times the budget, for so many windows, at the slowest pace, it ends.
    HARD_FACTOR = 2,
    HARD_WINDOWS = 6,
    // In a row, of a second each.
    FULL_LOOKS = 5,
    MAX_SHRINKS = 3,
};

void governor_init(struct governor *governor, const struct governor_limits *limits)
{
    *governor = (struct governor){.limits = *limits, .stretch = 100};
}

__attribute__((format(printf, 3, 4))) static enum governor_decision decide(
    struct governor *governor, enum governor_decision decision, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(governor->note, sizeof governor->note, format, args);
    va_end(args);
    return decision;
}

// --- memory -------------------------------------------------------------------

static enum governor_decision look_at_memory(struct governor *governor, uint64_t bytes)
{
    uint64_t max = governor->limits.memory_bytes;
    if (max == 0 || bytes <= max) {
        governor->full = 0;
        return GOVERNOR_NONE;
    }
    if (++governor->full < FULL_LOOKS) {
        return GOVERNOR_NONE;
    }
    governor->full = 0;
    if (governor->shrinks < MAX_SHRINKS) {
        governor->shrinks++;
        return decide(governor, GOVERNOR_SHRINK,
                      "names are forgotten, memory was %llu bytes, %llu are allowed",
                      (unsigned long long)bytes, (unsigned long long)max);
    }
    return decide(governor, GOVERNOR_STOP,
                  "stopped by its limit: flameprof uses %llu bytes of memory, more than "
                  "--max-memory %llu; sample less or allow more",
                  (unsigned long long)bytes, (unsigned long long)max);
}

// --- CPU ----------------------------------------------------------------------

static enum governor_decision stretch_to(struct governor *governor, uint32_t stretch)
{
    governor->stretch = stretch;
    governor->calm = 0;
    governor->hard = 0;
    return decide(
        governor, GOVERNOR_STRETCH,
        "intervals are %u %% of what was asked for, CPU was %.2f %% of the machine, %g %% "
        "is allowed",
        stretch, governor->cpu_percent, governor->limits.cpu_percent);
}

static enum governor_decision back_off(struct governor *governor)
{
    double wanted = governor->cpu_percent * 110 / governor->limits.cpu_percent;
    uint32_t step = wanted > MAX_STEP ? MAX_STEP : wanted < MIN_STEP ? MIN_STEP : (uint32_t)wanted;
    uint32_t stretch = governor->stretch * step / 100;
    governor->backoffs++;
    return stretch_to(governor, stretch < GOVERNOR_MAX_STRETCH ? stretch : GOVERNOR_MAX_STRETCH);
}

static enum governor_decision recover(struct governor *governor)
{
    if (++governor->calm < CALM_WINDOWS) {
        governor->hard = 0;
        return GOVERNOR_NONE;
    }
    uint32_t stretch = governor->stretch * 2 / 3;
    governor->recoveries++;
    return stretch_to(governor, stretch > 100 ? stretch : 100);
}

static enum governor_decision give_up(struct governor *governor)
{
    governor->calm = 0;
    if (++governor->hard < HARD_WINDOWS) {
        return GOVERNOR_NONE;
    }
    return decide(governor, GOVERNOR_STOP,
                  "stopped by its limit: flameprof uses %.2f %% of the machine at its slowest "
                  "pace, more than --max-cpu %g%%; sample less or allow more",
                  governor->cpu_percent, governor->limits.cpu_percent);
}

static enum governor_decision judge(struct governor *governor)
{
    double max = governor->limits.cpu_percent;
    bool is_slowest = governor->stretch == GOVERNOR_MAX_STRETCH;
    if (is_slowest && governor->cpu_percent > HARD_FACTOR * max) {
        return give_up(governor);
    }
    if (!is_slowest && governor->cpu_percent > max) {
        return back_off(governor);
    }
    if (governor->stretch > 100 && governor->cpu_percent * 100 < CALM_PERCENT * max) {
        return recover(governor);
    }
    governor->calm = 0;
    governor->hard = 0;
    return GOVERNOR_NONE;
}

static enum governor_decision look_at_cpu(struct governor *governor, uint64_t now_ns,
                                          uint64_t cpu_ns)
{
    uint64_t passed_ns = now_ns - governor->begun_ns;
    bool is_first = governor->begun_ns == 0;
    if (governor->limits.cpu_percent <= 0 || (!is_first && passed_ns < WINDOW_NS)) {
        return GOVERNOR_NONE;
    }
    governor->cpu_percent = 100.0 * (double)(cpu_ns - governor->begun_cpu_ns) / (double)passed_ns /
                            governor->limits.cpu_cnt;
    governor->begun_ns = now_ns;
    governor->begun_cpu_ns = cpu_ns;
    return is_first ? GOVERNOR_NONE : judge(governor);
}

enum governor_decision governor_look(struct governor *governor, uint64_t now_ns, uint64_t cpu_ns,
                                     uint64_t memory_bytes)
{
    enum governor_decision decision = look_at_memory(governor, memory_bytes);
    return decision == GOVERNOR_NONE ? look_at_cpu(governor, now_ns, cpu_ns) : decision;
}

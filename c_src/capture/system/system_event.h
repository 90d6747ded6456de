// SPDX-License-Identifier: Apache-2.0
// What can be sampled: name, unit of a sample's weight, and what the number behind the
// name is. The order is that of enum sampler_event in bpf/sampler.h (asserted in
// sampler_record.c).
#ifndef FLAME_PROF_CAPTURE_SYSTEM_EVENT_H
#define FLAME_PROF_CAPTURE_SYSTEM_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum system_event_number {
    SYSTEM_EVENT_HZ,     // samples per second and CPU
    SYSTEM_EVENT_MIN_NS, // the shortest time worth a sample
    SYSTEM_EVENT_EVERY,  // one sample for so many
};

#define SYSTEM_EVENTS(X)                                                                           \
    X(SYSTEM_EVENT_CPU_CLOCK, "cpu-clock", "ns", SYSTEM_EVENT_HZ, 99)                              \
    X(SYSTEM_EVENT_OFF_CPU, "off-cpu", "ns", SYSTEM_EVENT_MIN_NS, 1000000)                         \
    X(SYSTEM_EVENT_RUN_QUEUE, "run-queue", "ns", SYSTEM_EVENT_MIN_NS, 1000000)                     \
    X(SYSTEM_EVENT_MINOR_FAULTS, "minor-faults", "faults", SYSTEM_EVENT_EVERY, 100)                \
    X(SYSTEM_EVENT_MAJOR_FAULTS, "major-faults", "faults", SYSTEM_EVENT_EVERY, 1)                  \
    X(SYSTEM_EVENT_CONTEXT_SWITCHES, "context-switches", "switches", SYSTEM_EVENT_EVERY, 10)       \
    X(SYSTEM_EVENT_CYCLES, "cycles", "cycles", SYSTEM_EVENT_EVERY, 10000000)                       \
    X(SYSTEM_EVENT_INSTRUCTIONS, "instructions", "instructions", SYSTEM_EVENT_EVERY, 10000000)     \
    X(SYSTEM_EVENT_CACHE_MISSES, "cache-misses", "misses", SYSTEM_EVENT_EVERY, 100000)

enum system_event {
#define SYSTEM_EVENT_ENUM(id, name, unit, number, value) id,
    SYSTEM_EVENTS(SYSTEM_EVENT_ENUM)
#undef SYSTEM_EVENT_ENUM
        SYSTEM_EVENT_CNT
};

// The numbers of the events to sample; 0 = not sampled. Of the clock: its period in ns.
struct system_event_choice {
    uint64_t values[SYSTEM_EVENT_CNT];
};

// Static, never NULL.
const char *system_event_name(enum system_event event);
const char *system_event_unit(enum system_event event);

enum system_event_number system_event_number(enum system_event event);
uint64_t system_event_default(enum system_event event);
bool system_event_parse(const char *name, enum system_event *event_ret);

// Is something sampled besides the clock?
bool system_event_has_other(const struct system_event_choice *choice);
// Threads that leave their CPU or wait for one: sampled in the scheduler itself.
bool system_event_has_switches(const struct system_event_choice *choice);

// "running", "sleeping", "disk_sleep", ...: of the kernel's __state of a thread off its
// CPU; static.
const char *system_event_state_name(uint32_t state);

#endif

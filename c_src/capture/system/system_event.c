// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_event.h"

#include <string.h>

static const struct {
    const char *name;
    const char *unit;
    enum system_event_number number;
    uint64_t value;
} EVENTS[] = {
#define SYSTEM_EVENT_ROW(id, name, unit, number, value) [id] = {name, unit, number, value},
    SYSTEM_EVENTS(SYSTEM_EVENT_ROW)
#undef SYSTEM_EVENT_ROW
};

const char *system_event_name(enum system_event event)
{
    return (unsigned)event < SYSTEM_EVENT_CNT ? EVENTS[event].name : "unknown";
}

const char *system_event_unit(enum system_event event)
{
    return (unsigned)event < SYSTEM_EVENT_CNT ? EVENTS[event].unit : "ns";
}

enum system_event_number system_event_number(enum system_event event)
{
    return EVENTS[event].number;
}

uint64_t system_event_default(enum system_event event)
{
    return EVENTS[event].value;
}

bool system_event_parse(const char *name, enum system_event *event_ret)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (strcmp(EVENTS[i].name, name) == 0) {
            *event_ret = (enum system_event)i;
            return true;
        }
    }
    return false;
}

bool system_event_has_other(const struct system_event_choice *choice)
{
    uint64_t others = 0;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        others |= i == SYSTEM_EVENT_CPU_CLOCK ? 0 : choice->values[i];
    }
    return others != 0;
}

bool system_event_has_switches(const struct system_event_choice *choice)
{
    return choice->values[SYSTEM_EVENT_OFF_CPU] != 0 || choice->values[SYSTEM_EVENT_RUN_QUEUE] != 0;
}

// include/linux/sched.h: the lowest bits, unchanged since 4.14.
const char *system_event_state_name(uint32_t state)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } STATES[] = {
        {0x01, "sleeping"}, {0x400, "idle"},  {0x02, "disk_sleep"}, {0x04, "stopped"},
        {0x08, "traced"},   {0x40, "parked"}, {0x80, "dead"},
    };
    for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++) {
        if ((state & STATES[i].bit) != 0) {
            return STATES[i].name;
        }
    }
    return state == 0 ? "preempted" : "unknown";
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_event.h"

#include "cli/record_events.h"
#include "test.h"

static struct system_event_choice events;
static uint32_t rate_hz;
static struct error err;

static bool add(const char *list)
{
    memset(&events, 0, sizeof events);
    rate_hz = 0;
    return record_events_add(&events, &rate_hz, list, &err);
}

TEST(names_there_and_back)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        enum system_event event = SYSTEM_EVENT_CNT;
        CHECK(system_event_parse(system_event_name((enum system_event)i), &event));
        CHECK_INT(event, i);
        CHECK(system_event_default((enum system_event)i) > 0);
    }
    CHECK_STR(system_event_unit(SYSTEM_EVENT_OFF_CPU), "ns");
    CHECK_STR(system_event_unit(SYSTEM_EVENT_CYCLES), "cycles");
}

TEST(numbers_behind_names)
{
    CHECK(add("cpu-clock:499,off-cpu:500us,run-queue:2s,minor-faults:7"));
    CHECK_UINT(rate_hz, 499);
    CHECK_UINT(events.values[SYSTEM_EVENT_OFF_CPU], 500000);
    CHECK_UINT(events.values[SYSTEM_EVENT_RUN_QUEUE], 2000000000);
    CHECK_UINT(events.values[SYSTEM_EVENT_MINOR_FAULTS], 7);
    CHECK_UINT(events.values[SYSTEM_EVENT_MAJOR_FAULTS], 0);
    CHECK(add("off-cpu:3"));
    CHECK_UINT(events.values[SYSTEM_EVENT_OFF_CPU], 3000000); // milliseconds
    CHECK_UINT(rate_hz, 0);
}

TEST(without_a_number_it_is_the_default)
{
    CHECK(add("cpu-clock,off-cpu,cycles"));
    CHECK_UINT(rate_hz, 99);
    CHECK_UINT(events.values[SYSTEM_EVENT_OFF_CPU], 1000000);
    CHECK_UINT(events.values[SYSTEM_EVENT_CYCLES], 10000000);
}

TEST(what_is_no_event)
{
    static const struct {
        const char *list;
        const char *part;
    } CASES[] = {
        {"cpu", "'cpu' is no event; there are cpu-clock, off-cpu"},
        {"", "is no event"},
        {"off-cpu,", "is no event"},
        {"off-cpu:", "shortest time"},
        {"off-cpu:0", "shortest time"},
        {"off-cpu:1h", "shortest time"},
        {"off-cpu:99999999999999999999", "shortest time"},
        {"off-cpu:3601s", "shortest time"},
        {"cpu-clock:0", "samples per second"},
        {"cycles:x", "a count"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(!add(CASES[i].list));
        CHECK_HAS(err.detail, CASES[i].part);
    }
}

TEST(states_of_a_thread)
{
    CHECK_STR(system_event_state_name(0), "preempted");
    CHECK_STR(system_event_state_name(1), "sleeping");
    CHECK_STR(system_event_state_name(2), "disk_sleep");
    CHECK_STR(system_event_state_name(0x402), "idle"); // a kernel thread without work
    CHECK_STR(system_event_state_name(0x102), "disk_sleep");
    CHECK_STR(system_event_state_name(0x10000), "unknown");
}

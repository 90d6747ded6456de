// SPDX-License-Identifier: Apache-2.0
#include "cli/record_trigger.h"

#include "base/clock.h"
#include "test.h"

static struct host_trigger trigger;
static struct error err;

static bool parse(const char *text)
{
    err = (struct error){0};
    return record_trigger_parse(&trigger, text, &err);
}

TEST(a_gauge_above_a_limit)
{
    CHECK(parse("load>8"));
    CHECK_INT(trigger.kind, HOST_TRIGGER_GAUGE);
    CHECK_INT(trigger.gauge, HOST_LOAD);
    CHECK(trigger.limit == 8);
    CHECK_UINT(trigger.hold_ns, 0);
    CHECK_STR(trigger.text, "load>8");
    CHECK(parse(" run-queue  >  2.5 "));
    CHECK_INT(trigger.gauge, HOST_RUN_QUEUE);
    CHECK(trigger.limit == 2.5);
}

TEST(a_share_for_some_time)
{
    CHECK(parse("cpu>90% for 5s"));
    CHECK_INT(trigger.gauge, HOST_CPU);
    CHECK(trigger.limit == 90);
    CHECK_UINT(trigger.hold_ns, 5ULL * CLOCK_NS_PER_S);
    CHECK(parse("io-pressure>20 for 500ms"));
    CHECK_INT(trigger.gauge, HOST_IO_PRESSURE);
    CHECK_UINT(trigger.hold_ns, 500ULL * CLOCK_NS_PER_MS);
}

TEST(the_end_of_a_process)
{
    CHECK(parse("comm=tmux: server exits"));
    CHECK_INT(trigger.kind, HOST_TRIGGER_EXIT);
    CHECK_STR(trigger.comm, "tmux: server");
    CHECK(!parse("comm=a_name_that_is_too_long exits"));
    CHECK_HAS(err.detail, "15 bytes");
    CHECK(!parse("comm= exits"));
    CHECK(!parse("comm=x"));
    CHECK(!parse("comm=x exits now"));
}

TEST(what_is_none_is_refused_with_what_there_is)
{
    static const char *const WRONG[] = {
        "",           ">",       "load",   "load>",          "load<8",       "load>x",   "load>8%",
        "load>8 for", "cpu>1e1", "cpu>-1", "cpu>5 for ever", "cpu>5 for 0s", "cpu>1.2.3"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!parse(WRONG[i]));
        CHECK_HAS(err.detail, "expected GAUGE>NUMBER");
    }
    CHECK(!parse("disk>8"));
    CHECK_HAS(err.detail, "'disk' is no gauge; there are load, run-queue, cpu");
    CHECK(!parse("cpu>100"));
    CHECK_HAS(err.detail, "never above 100");
}

TEST(it_fires_once_and_again_when_it_was_below)
{
    CHECK(parse("cpu>90 for 5s"));
    const uint64_t second = CLOCK_NS_PER_S;
    CHECK(!host_trigger_look(&trigger, 95, second));
    CHECK(!host_trigger_look(&trigger, 95, 5 * second));
    CHECK(host_trigger_look(&trigger, 95, 6 * second));
    CHECK(host_trigger_look(&trigger, 95, 7 * second)); // could not have it
    trigger.is_served = true;
    CHECK(!host_trigger_look(&trigger, 95, 8 * second));
    CHECK(!host_trigger_look(&trigger, 90, 9 * second));
    CHECK(!host_trigger_look(&trigger, 95, 10 * second));
    CHECK(host_trigger_look(&trigger, 95, 15 * second));
}

TEST(a_pause_begins_anew)
{
    CHECK(parse("load>8 for 5s"));
    const uint64_t second = CLOCK_NS_PER_S;
    CHECK(!host_trigger_look(&trigger, 9, second));
    CHECK(!host_trigger_look(&trigger, 7, 4 * second));
    CHECK(!host_trigger_look(&trigger, 9, 6 * second));
    CHECK(host_trigger_look(&trigger, 9, 11 * second));
}

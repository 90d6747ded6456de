// SPDX-License-Identifier: Apache-2.0
#include "capture/system/host_gauges.h"

#include "test.h"

static struct host_gauges gauges;

static void begin(void)
{
    gauges = (struct host_gauges){0};
}

static void take(enum host_gauge_source source, const char *text)
{
    host_gauges_take(&gauges, source, text, 1000000000);
}

TEST(load_and_those_that_run_besides_us)
{
    begin();
    take(HOST_SOURCE_LOADAVG, "9.25 0.58 0.59 4/467 12345\n");
    CHECK(gauges.values[HOST_LOAD] == 9.25);
    CHECK(gauges.values[HOST_RUN_QUEUE] == 3);
}

TEST(shares_of_cpu_time_are_those_between_two_looks)
{
    begin();
    take(HOST_SOURCE_STAT, "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2\n");
    CHECK(gauges.values[HOST_CPU] == 0);
    gauges.has_looked = true;
    take(HOST_SOURCE_STAT, "cpu  170 0 110 710 100 0 0 10 0 0\ncpu0 1 2\n");
    CHECK(gauges.values[HOST_CPU] == 90);
    CHECK(gauges.values[HOST_STEAL] == 10);
    take(HOST_SOURCE_STAT, "cpu  170 0 110 710 100 0 0 10 0 0\n"); // no time has passed
    CHECK(gauges.values[HOST_CPU] == 0);
}

TEST(memory_that_nobody_could_get)
{
    begin();
    take(HOST_SOURCE_MEMINFO, "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n");
    CHECK(gauges.values[HOST_MEMORY] == 75);
}

TEST(pressure_is_the_share_of_the_time_since_the_last_look)
{
    begin();
    take(HOST_SOURCE_IO_PRESSURE, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n");
    CHECK(gauges.values[HOST_IO_PRESSURE] == 0);
    gauges.has_looked = true;
    take(HOST_SOURCE_IO_PRESSURE, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1250000\nfull x\n");
    CHECK(gauges.values[HOST_IO_PRESSURE] == 25);
    CHECK(gauges.values[HOST_CPU_PRESSURE] == 0);
    take(HOST_SOURCE_IO_PRESSURE, "some avg10=0.00 avg60=0.00 avg300=0.00 total=9250000\n");
    CHECK(gauges.values[HOST_IO_PRESSURE] == 100);
}

TEST(nonsense_changes_nothing)
{
    static const char *const WRONG[] = {"", "\n", "cpu x", "MemTotal:", "total=", "1.0 2.0", "-"};
    begin();
    gauges.has_looked = true;
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        for (int source = 0; source < HOST_SOURCE_CNT; source++) {
            take((enum host_gauge_source)source, WRONG[i]);
        }
    }
    for (int i = 0; i < HOST_GAUGE_CNT; i++) {
        CHECK(gauges.values[i] == 0);
    }
}

TEST(what_this_host_says_is_understood)
{
    struct error err = {0};
    uint32_t wanted = 1U << HOST_LOAD | 1U << HOST_CPU | 1U << HOST_MEMORY;
    CHECK(host_gauges_open(&gauges, wanted, &err));
    host_gauges_look(&gauges, 1000000000);
    CHECK(gauges.all_ticks > 0);
    CHECK(gauges.values[HOST_MEMORY] > 0);
    CHECK(gauges.fds[HOST_SOURCE_IO_PRESSURE] < 0);
    host_gauges_close(&gauges);
    host_gauges_close(&gauges);
}

TEST(every_gauge_has_a_name)
{
    for (int i = 0; i < HOST_GAUGE_CNT; i++) {
        enum host_gauge gauge = HOST_GAUGE_CNT;
        CHECK(host_gauge_parse(host_gauge_name((enum host_gauge)i), &gauge));
        CHECK_INT(gauge, i);
    }
    CHECK(!host_gauge_parse("loads", &(enum host_gauge){0}));
}

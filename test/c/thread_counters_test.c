// SPDX-License-Identifier: Apache-2.0
#include "record/system/thread_counters.h"

#include "test.h"

enum { PERIOD = 10101010 };

static struct metric_value metrics[THREAD_METRIC_CNT];
static uint64_t now_ns;

static void take(struct thread_counters *counters, uint32_t tid, uint64_t start_ns,
                 uint64_t switches)
{
    struct system_sample sample = {
        .time_ns = ++now_ns,
        .tid = tid,
        .thread_start_ns = start_ns,
        .cpu_ns = switches * 1000,
        .voluntary_switches = switches,
        .involuntary_switches = 2 * switches,
        .minor_faults = 3 * switches,
        .major_faults = 4 * switches,
        .weight = PERIOD,
    };
    thread_counters_take(counters, &sample, metrics);
}

TEST(the_first_deltas_are_zero_but_that_of_cpu_time)
{
    struct thread_counters *counters = thread_counters_create(100);
    take(counters, 1, 77, 10);
    CHECK_INT(metrics[SYSTEM_METRIC_CPU_NS].value, 10000);
    CHECK_INT(metrics[SYSTEM_METRIC_CPU_NS].delta, PERIOD);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].value, 10);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 0);
    CHECK_INT(metrics[SYSTEM_METRIC_MAJOR_FAULTS].value, 40);
    CHECK_INT(metrics[SYSTEM_METRIC_MAJOR_FAULTS].delta, 0);
    thread_counters_destroy(counters);
}

TEST(deltas_are_to_the_same_thread)
{
    struct thread_counters *counters = thread_counters_create(100);
    take(counters, 1, 77, 10);
    take(counters, 2, 78, 1000);
    take(counters, 1, 77, 15);
    CHECK_INT(metrics[SYSTEM_METRIC_CPU_NS].delta, PERIOD);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 5);
    CHECK_INT(metrics[SYSTEM_METRIC_INVOLUNTARY_SWITCHES].delta, 10);
    CHECK_INT(metrics[SYSTEM_METRIC_MINOR_FAULTS].delta, 15);
    CHECK_INT(metrics[SYSTEM_METRIC_MAJOR_FAULTS].delta, 20);
    thread_counters_destroy(counters);
}

TEST(a_reused_thread_id_begins_anew)
{
    struct thread_counters *counters = thread_counters_create(100);
    take(counters, 1, 77, 1000);
    take(counters, 1, 99, 3);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 0);
    take(counters, 1, 99, 4);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 1);
    thread_counters_destroy(counters);
}

TEST(the_least_recently_seen_is_forgotten_first)
{
    struct thread_counters *counters = thread_counters_create(8); // one set of 8
    for (uint32_t tid = 1; tid <= 8; tid++) {
        take(counters, tid, 77, 10);
    }
    take(counters, 1, 77, 11);
    take(counters, 9, 77, 10); // takes the place of 2
    take(counters, 1, 77, 12);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 1);
    take(counters, 2, 77, 20);
    CHECK_INT(metrics[SYSTEM_METRIC_VOLUNTARY_SWITCHES].delta, 0);
    thread_counters_destroy(counters);
    thread_counters_destroy(NULL);
}

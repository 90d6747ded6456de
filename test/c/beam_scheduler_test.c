// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_scheduler.h"

#include "test.h"

static struct beam_scheduler scheduler;

TEST(names_of_otp_25)
{
    CHECK(beam_scheduler_parse("12_scheduler", &scheduler));
    CHECK_STR(scheduler.kind, "scheduler");
    CHECK_UINT(scheduler.number, 12);
    CHECK(beam_scheduler_parse("1_dirty_cpu_sch", &scheduler));
    CHECK_STR(scheduler.kind, "dirty_cpu");
    CHECK(beam_scheduler_parse("10_dirty_io_sch", &scheduler));
    CHECK_STR(scheduler.kind, "dirty_io");
    CHECK_UINT(scheduler.number, 10);
}

TEST(names_of_later_ones)
{
    CHECK(beam_scheduler_parse("erts_sched_2", &scheduler));
    CHECK_STR(scheduler.kind, "scheduler");
    CHECK_UINT(scheduler.number, 2);
    CHECK(beam_scheduler_parse("erts_dcpus_1", &scheduler));
    CHECK_STR(scheduler.kind, "dirty_cpu");
    CHECK(beam_scheduler_parse("erts_dios_10", &scheduler));
    CHECK_UINT(scheduler.number, 10);
}

TEST(other_threads)
{
    static const char *const OTHERS[] = {"",
                                         "beam.smp",
                                         "async_1",
                                         "1_aux",
                                         "0_poller",
                                         "0_scheduler",
                                         "1_",
                                         "1_schedulers",
                                         "erts_sched_",
                                         "erts_sched_x",
                                         "erts_sched_1x",
                                         "1_sch",
                                         "scheduler",
                                         "1_dirty_nets",
                                         "99999_scheduler",
                                         "erts_aux_1"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        CHECK(!beam_scheduler_parse(OTHERS[i], &scheduler));
    }
}

// SPDX-License-Identifier: Apache-2.0
// Which thread is which scheduler, by all names that OTP has given them.
#include "capture/beam/scheduler_threads.h"

#include "test.h"

#include <pthread.h>
#include <unistd.h>

static struct scheduler_thread got;

static void check_is(const char *comm, enum scheduler_kind kind, unsigned no)
{
    CHECK(scheduler_thread_parse(comm, &got));
    CHECK_INT(got.kind, kind);
    CHECK_UINT(got.no, no);
}

TEST(names_of_every_release)
{
    check_is("1_scheduler", SCHEDULER_NORMAL, 1);
    check_is("128_scheduler", SCHEDULER_NORMAL, 128);
    check_is("2_dirty_cpu_sch", SCHEDULER_DIRTY_CPU, 2);
    check_is("10_dirty_io_sch", SCHEDULER_DIRTY_IO, 10);
    check_is("erts_sched_3", SCHEDULER_NORMAL, 3);
    check_is("erts_dcpus_12", SCHEDULER_DIRTY_CPU, 12);
    check_is("erts_dios_9", SCHEDULER_DIRTY_IO, 9);
}

TEST(other_threads_are_none)
{
    const char *const others[] = {"beam.smp",     "erts_aux_1",    "1_aux",      "erts_sched_",
                                  "erts_sched_0", "0_scheduler",   "_scheduler", "erts_sched_1x",
                                  "2 scheduler",  "flame_prof_wr", "",           "99999_scheduler",
                                  "erts_poll_0",  "-1_scheduler"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(!scheduler_thread_parse(others[i], &got));
    }
}

static _Atomic int stage;

static void *be_a_scheduler(void *unused)
{
    (void)pthread_setname_np(pthread_self(), "erts_dios_7");
    stage = 1;
    while (stage < 2) {
        usleep(1000);
    }
    return unused;
}

TEST(threads_of_this_process_are_listed)
{
    struct scheduler_thread threads[4];
    pthread_t thread;
    CHECK_UINT(scheduler_threads_list(threads, 4), 0);
    CHECK_INT(pthread_create(&thread, NULL, be_a_scheduler, NULL), 0);
    while (stage < 1) {
        usleep(1000);
    }
    uint32_t cnt = scheduler_threads_list(threads, 4);
    uint32_t none = scheduler_threads_list(threads + 1, 0);
    stage = 2;
    pthread_join(thread, NULL);
    CHECK_UINT(cnt, 1);
    CHECK_UINT(none, 0);
    CHECK_INT(threads[0].kind, SCHEDULER_DIRTY_IO);
    CHECK_UINT(threads[0].no, 7);
    CHECK(threads[0].tid > 0 && threads[0].tid != getpid());
}

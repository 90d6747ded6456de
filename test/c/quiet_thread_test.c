// SPDX-License-Identifier: Apache-2.0
// A thread of ours takes none of its process's signals, but the faults of its own
// reads.
#include "base/quiet_thread.h"

#include "test.h"

#include <signal.h>

static sigset_t mask_inside;
static char name_inside[32];

static void *look_around(void *context)
{
    quiet_thread_ask_for_short_slices();
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask_inside);
    // The creator names it after it started.
    while (strcmp(name_inside, context) != 0) {
        (void)pthread_getname_np(pthread_self(), name_inside, sizeof name_inside);
    }
    return context;
}

TEST(every_signal_but_faults_is_blocked)
{
    static char name[] = "fifteen_letters";
    pthread_t thread;
    struct error err = {0};
    void *result = NULL;
    sigset_t before;
    sigset_t after;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    CHECK(quiet_thread_start(&thread, name, look_around, name, &err));
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == name);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    for (int signal_number = 1; signal_number < 32; signal_number++) {
        bool fault = signal_number == SIGSEGV || signal_number == SIGBUS;
        bool never = signal_number == SIGKILL || signal_number == SIGSTOP;
        CHECK(never || sigismember(&mask_inside, signal_number) == !fault);
        CHECK_INT(sigismember(&after, signal_number), sigismember(&before, signal_number));
    }
}

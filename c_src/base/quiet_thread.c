// SPDX-License-Identifier: Apache-2.0
#include "base/quiet_thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLICE_NS = 100000 }; // the least the kernel grants

// struct sched_attr of linux/sched/types.h, first version.
struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void quiet_thread_ask_for_short_slices(void)
{
    struct scheduling wanted = {.size = sizeof wanted, .runtime_ns = SLICE_NS};
    struct scheduling now = {.size = sizeof now};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0 && now.policy == SCHED_OTHER) {
        wanted.nice = now.nice;
        (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
    }
}

bool quiet_thread_start(pthread_t *thread_ret, const char *name, void *(*run)(void *context),
                        void *context, struct error *err)
{
    sigset_t blocked;
    sigset_t old;
    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGSEGV);
    (void)sigdelset(&blocked, SIGBUS);
    // A new thread inherits the mask.
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &old);
    int failed = pthread_create(thread_ret, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        return error_os(err, failed, "start thread %s", name);
    }
    (void)pthread_setname_np(*thread_ret, name);
    return true;
}

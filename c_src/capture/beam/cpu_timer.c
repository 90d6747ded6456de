// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/cpu_timer.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static bool start_posix(struct cpu_timer *timer, int32_t tid, int signal_number, void *value,
                        uint64_t interval_ns, struct error *err)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal_number};
    event.sigev_value.sival_ptr = value;
    event.sigev_notify_thread_id = tid;
    struct timespec interval = {.tv_sec = (time_t)(interval_ns / CLOCK_NS_PER_S),
                                .tv_nsec = (long)(interval_ns % CLOCK_NS_PER_S)};
    struct itimerspec setting = {.it_interval = interval, .it_value = interval};
    if (syscall(SYS_timer_create, clock_id_of_thread(tid), &event, &timer->id) != 0) {
        bool full = errno == EAGAIN;
        return error_set(err, ERROR_UNSUPPORTED, "CPU timer of thread %d: timer_create: %s%s", tid,
                         strerror(errno),
                         full ? "; the limit of pending signals is reached (ulimit -i)" : "");
    }
    timer->kind = CPU_TIMER_POSIX;
    if (syscall(SYS_timer_settime, timer->id, 0, &setting, NULL) != 0) {
        int reason = errno;
        cpu_timer_stop(timer);
        return error_set(err, ERROR_UNSUPPORTED, "CPU timer of thread %d: timer_settime: %s", tid,
                         strerror(reason));
    }
    return true;
}

static int open_event(int32_t tid, uint64_t interval_ns, bool exclude_kernel)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = interval_ns,
        .disabled = 1,
        .exclude_kernel = exclude_kernel,
        .exclude_hv = 1,
        .wakeup_events = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool start_perf_event(struct cpu_timer *timer, int32_t tid, int signal_number,
                             uint64_t interval_ns, struct error *err)
{
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = tid};
    int fd = open_event(tid, interval_ns, false);
    fd = fd >= 0 ? fd : open_event(tid, interval_ns, true);
    timer->kind = fd >= 0 ? CPU_TIMER_PERF_EVENT : CPU_TIMER_NONE;
    timer->id = fd;
    bool ok = fd >= 0 && fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0 &&
              fcntl(fd, F_SETSIG, signal_number) == 0 && fcntl(fd, F_SETOWN_EX, &owner) == 0 &&
              ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0;
    if (!ok) {
        int reason = errno;
        cpu_timer_stop(timer);
        return error_set(err, ERROR_UNSUPPORTED,
                         "CPU clock of thread %d: perf_event_open: %s; rates above the kernel's "
                         "tick need kernel.perf_event_paranoid <= 2",
                         tid, strerror(reason));
    }
    return true;
}

bool cpu_timer_start(struct cpu_timer *timer, enum cpu_timer_kind kind, int32_t tid,
                     int signal_number, void *value, uint64_t interval_ns, struct error *err)
{
    *timer = (struct cpu_timer){.kind = CPU_TIMER_NONE, .id = -1};
    return kind == CPU_TIMER_PERF_EVENT
               ? start_perf_event(timer, tid, signal_number, interval_ns, err)
               : start_posix(timer, tid, signal_number, value, interval_ns, err);
}

void cpu_timer_stop(struct cpu_timer *timer)
{
    if (timer->kind == CPU_TIMER_POSIX) {
        (void)syscall(SYS_timer_delete, timer->id);
    } else if (timer->kind == CPU_TIMER_PERF_EVENT) {
        (void)ioctl(timer->id, PERF_EVENT_IOC_DISABLE, 0);
        (void)close(timer->id);
    }
    *timer = (struct cpu_timer){.kind = CPU_TIMER_NONE, .id = -1};
}

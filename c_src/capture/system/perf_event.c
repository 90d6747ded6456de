// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_event.h"

#include "capture/system/cpu_clock.h"
#include "capture/system/perf_record.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int open_event(struct perf_event_attr *attr, pid_t tid, int cpu)
{
    return (int)syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

// What all records have in common, so that one reader puts them in the order of time.
static struct perf_event_attr common(const struct perf_event_wish *wish)
{
    return (struct perf_event_attr){
        .size = sizeof(struct perf_event_attr),
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
        .sample_id_all = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .exclude_kernel = wish->sees_kernel ? 0 : 1,
        .exclude_hv = 1,
        .mmap = wish->tells_tasks,
        .mmap2 = wish->tells_tasks,
        .comm = wish->tells_tasks,
        .comm_exec = wish->tells_tasks,
        .task = wish->tells_tasks,
        .watermark = 1,
        .wakeup_watermark = wish->ring_bytes / 4,
    };
}

int perf_event_open_sampling(const struct perf_event_wish *wish)
{
    struct perf_event_attr attr = common(wish);
    uint32_t type = 0;
    uint64_t config = 0;
    cpu_clock_kind(wish->event, &type, &config);
    attr.type = type;
    attr.config = config;
    attr.sample_period = wish->period;
    attr.sample_type =
        PERF_RECORD_SAMPLE_TYPE | (wish->sees_kernel ? (uint64_t)PERF_SAMPLE_CALLCHAIN : 0);
    attr.sample_regs_user = perf_record_register_mask();
    attr.sample_stack_user = wish->stack_bytes;
    attr.exclude_callchain_user = 1;
    attr.exclude_idle = 1;
    attr.inherit = wish->tid >= 0;
    if (wish->wakes_each) {
        attr.watermark = 0;
        attr.wakeup_events = 1;
    }
    return open_event(&attr, wish->tid, (int)wish->cpu);
}

int perf_event_open_owner(const struct perf_event_wish *wish)
{
    struct perf_event_attr attr = common(wish);
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_DUMMY;
    return open_event(&attr, wish->tid < 0 ? -1 : 0, (int)wish->cpu);
}

bool perf_event_send_to(int fd, int owner_fd)
{
    return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, owner_fd) == 0;
}

// --- what is allowed ------------------------------------------------------------------

static bool is_allowed(pid_t tid, int cpu, bool sees_kernel)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = 1000000000,
        .exclude_kernel = sees_kernel ? 0 : 1,
        .disabled = 1,
    };
    int fd = open_event(&attr, tid, cpu);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static int this_cpu(void)
{
    unsigned cpu = 0;
    return syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 ? (int)cpu : 0;
}

static bool nothing_is(int sys_errno, struct error *err)
{
    int paranoid = 0;
    FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    bool known = file != NULL && fscanf(file, "%d", &paranoid) == 1;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (known && paranoid > 2) {
        return error_os(err, sys_errno,
                        "perf_event_open: kernel.perf_event_paranoid is %d; 2 or less lets "
                        "everybody sample processes of their own",
                        paranoid);
    }
    return error_os(err, sys_errno,
                    "perf_event_open: not even processes of our own may be sampled (a container's "
                    "seccomp filter does that)");
}

bool perf_event_find_reach(enum perf_event_reach *reach_ret, struct error *err)
{
    *reach_ret = PERF_EVENT_OUT_OF_REACH;
    if (is_allowed(-1, this_cpu(), true)) {
        *reach_ret = PERF_EVENT_EVERY_CPU;
    } else if (is_allowed(0, -1, true)) {
        *reach_ret = PERF_EVENT_OWN;
    } else if (is_allowed(0, -1, false)) {
        *reach_ret = PERF_EVENT_OWN_USER;
    } else {
        return nothing_is(errno, err);
    }
    return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cpu_clock.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    uint32_t type;
    uint64_t config;
} KINDS[SYSTEM_EVENT_CNT] = {
    [SYSTEM_EVENT_CPU_CLOCK] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK},
    [SYSTEM_EVENT_MINOR_FAULTS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
    [SYSTEM_EVENT_MAJOR_FAULTS] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
    [SYSTEM_EVENT_CONTEXT_SWITCHES] = {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
    [SYSTEM_EVENT_CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    [SYSTEM_EVENT_INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    [SYSTEM_EVENT_CACHE_MISSES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
};

void cpu_clock_kind(enum system_event event, uint32_t *type, uint64_t *config)
{
    *type = KINDS[event].type;
    *config = KINDS[event].config;
}

static int open_event(uint32_t cpu, enum system_event event, uint64_t period)
{
    struct perf_event_attr attr = {
        .type = KINDS[event].type,
        .size = sizeof attr,
        .config = KINDS[event].config,
        .sample_period = period,
        .disabled = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static enum cpu_clock_result refused(uint32_t cpu, enum system_event event, int sys_errno,
                                     struct error *err)
{
    bool is_hardware = KINDS[event].type == PERF_TYPE_HARDWARE;
    if (is_hardware && (sys_errno == ENOENT || sys_errno == EOPNOTSUPP || sys_errno == ENODEV)) {
        (void)error_set(err, ERROR_UNSUPPORTED,
                        "-e %s: this machine has no such hardware counter (virtual machines "
                        "often have none); cpu-clock needs none",
                        system_event_name(event));
        return CPU_CLOCK_FAILED;
    }
    if (sys_errno == ENODEV || sys_errno == ENXIO) {
        return CPU_CLOCK_NO_CPU;
    }
    if (sys_errno == EACCES || sys_errno == EPERM) {
        (void)error_os(err, sys_errno,
                       "perf_event_open on CPU %u: sampling a whole CPU needs root or "
                       "CAP_PERFMON (or kernel.perf_event_paranoid <= 0)",
                       cpu);
    } else if (sys_errno == EMFILE) {
        (void)error_os(err, sys_errno,
                       "perf_event_open on CPU %u: two open files per CPU are needed, "
                       "raise the limit (ulimit -n)",
                       cpu);
    } else {
        (void)error_os(err, sys_errno, "perf_event_open on CPU %u", cpu);
    }
    return CPU_CLOCK_FAILED;
}

enum cpu_clock_result cpu_clock_open(struct cpu_clock *clock, uint32_t cpu, enum system_event event,
                                     uint64_t period, const struct bpf_program *program,
                                     struct error *err)
{
    DECLARE_LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = period << 8 | event);
    int fd = open_event(cpu, event, period);
    if (fd < 0) {
        return refused(cpu, event, errno, err);
    }
    clock->link = bpf_program__attach_perf_event_opts(program, fd, &options);
    if (clock->link == NULL) {
        int sys_errno = errno;
        (void)close(fd);
        (void)error_os(err, sys_errno, "attach the BPF program to the clock of CPU %u", cpu);
        return CPU_CLOCK_FAILED;
    }
    clock->fd = fd;
    return CPU_CLOCK_OPEN;
}

bool cpu_clock_set_period(const struct cpu_clock *clock, uint64_t period)
{
    return ioctl(clock->fd, PERF_EVENT_IOC_PERIOD, &period) == 0;
}

bool cpu_clock_is_open(const struct cpu_clock *clock)
{
    return clock->link != NULL;
}

void cpu_clock_close(struct cpu_clock *clock)
{
    (void)bpf_link__destroy(clock->link);
    clock->link = NULL;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cpu_clock.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_event(uint32_t cpu, uint64_t period_ns)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = period_ns,
        .disabled = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static enum cpu_clock_result refused(uint32_t cpu, int sys_errno, struct error *err)
{
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

enum cpu_clock_result cpu_clock_open(struct cpu_clock *clock, uint32_t cpu, uint64_t period_ns,
                                     const struct bpf_program *program, struct error *err)
{
    int fd = open_event(cpu, period_ns);
    if (fd < 0) {
        return refused(cpu, errno, err);
    }
    clock->link = bpf_program__attach_perf_event(program, fd);
    if (clock->link == NULL) {
        int sys_errno = errno;
        (void)close(fd);
        (void)error_os(err, sys_errno, "attach the BPF program to the clock of CPU %u", cpu);
        return CPU_CLOCK_FAILED;
    }
    return CPU_CLOCK_OPEN;
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

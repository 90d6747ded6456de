// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_sampler.h"

#include "base/clock.h"
#include "capture/system/cpu_clock.h"
#include "capture/system/cpu_list.h"
#include "capture/system/libbpf_log.h"
#include "capture/system/sampler_filter.h"
#include "capture/system/unwind_memory.h"
#include "sampler.h"
#include "sampler.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert((int)SYSTEM_STACK_END_CNT == (int)SAMPLER_UNWIND_END_CNT, "one name per end");
_Static_assert((int)SYSTEM_STACK_32BIT == (int)SAMPLER_UNWIND_32BIT, "ends in the same order");
_Static_assert((int)SYSTEM_STACK_SNAPSHOT == (int)SAMPLER_UNWIND_SNAPSHOT, "in the same order");
// NOLINTNEXTLINE(misc-redundant-expression): that is what it says
_Static_assert(SYSTEM_FRAME_EXACT == SAMPLER_FRAME_EXACT, "one mark");
_Static_assert((int)SYSTEM_MAX_FRAMES == (int)SAMPLER_MAX_FRAMES, "frames of one sample");
_Static_assert((int)SYSTEM_COMM_BYTES == (int)SAMPLER_COMM_BYTES, "comm of one sample");

enum { CPUS_CHECK_MS = 1000 };

struct system_sampler {
    struct system_sampler_options options;
    system_sample_handler handler;
    void *context;
    struct sampler_bpf *bpf;
    struct ring_buffer *ring;
    struct unwind_store *unwind;
    struct sampler_counters *counters; // possible_cnt of them, shared with the BPF program
    struct cpu_clock *clocks;          // possible_cnt
    uint32_t possible_cnt;
    uint64_t start_ns;
    uint64_t cpus_checked_ns;
    uint64_t tail_missed; // ticks due between the last one and the stop
    uint64_t frames[SYSTEM_MAX_FRAMES];
};

static const char *const STACK_END_NAMES[] = {
#define SYSTEM_STACK_NAME(id, name) [id] = (name),
    SYSTEM_STACK_ENDS(SYSTEM_STACK_NAME)
#undef SYSTEM_STACK_NAME
};

const char *system_stack_end_name(enum system_stack_end end)
{
    return (unsigned)end < SYSTEM_STACK_END_CNT ? STACK_END_NAMES[end] : "unknown";
}

// --- from the ring to the handler ---------------------------------------------

// Copies the frames, the tail's ring turned so that it is leaf first, too.
static void copy_frames(const struct sampler_record *record, uint64_t *frames)
{
    uint32_t frame_cnt = (uint32_t)record->kernel_cnt + record->user_cnt;
    memcpy(frames, record->frames, frame_cnt * sizeof *frames);
    if (record->user_omitted == 0 || record->user_cnt != SAMPLER_MAX_USER_FRAMES) {
        return;
    }
    uint32_t tail_at = (uint32_t)record->kernel_cnt + SAMPLER_USER_HEAD_FRAMES;
    for (uint32_t i = 0; i < SAMPLER_USER_TAIL_FRAMES; i++) {
        uint32_t from = (record->tail_first + i) % SAMPLER_USER_TAIL_FRAMES;
        frames[tail_at + i] = record->frames[tail_at + from];
    }
}

static void sample_of_record(const struct sampler_record *record, const uint64_t *frames,
                             struct system_sample *sample)
{
    *sample = (struct system_sample){
        .time_ns = record->time_ns,
        .pid = record->pid,
        .tid = record->tid,
        .cpu = record->cpu,
        .stack_end = record->unwind_end < SAMPLER_UNWIND_END_CNT
                         ? (enum system_stack_end)record->unwind_end
                         : SYSTEM_STACK_UNREADABLE,
        .address_space = record->address_space,
        .thread_start_ns = record->thread_start_ns,
        .cpu_ns = record->cpu_ns,
        .voluntary_switches = record->voluntary_switches,
        .involuntary_switches = record->involuntary_switches,
        .minor_faults = record->minor_faults,
        .major_faults = record->major_faults,
        .kernel_cnt = record->kernel_cnt,
        .user_cnt = record->user_cnt,
        .user_omitted = record->user_omitted,
        .user_omitted_at = SAMPLER_USER_HEAD_FRAMES,
        .frames = frames,
        .erlang_pid = record->erlang_pid,
    };
    memcpy(sample->comm, record->comm, sizeof sample->comm);
    sample->comm[sizeof sample->comm - 1] = '\0';
}

static struct system_snapshot snapshot_of_record(const struct sampler_record *record)
{
    const __u64 *words = record->frames + record->kernel_cnt;
    return (struct system_snapshot){
        .pc = words[0],
        .sp = words[1],
        .fp = words[2],
        .r13 = words[3],
        .r10 = words[4],
        .r11 = words[5],
        .rax = words[6],
        .stack = (const uint64_t *)words + SAMPLER_SNAPSHOT_REGISTERS,
        .stack_bytes = 8 * (record->snapshot_words - (uint32_t)SAMPLER_SNAPSHOT_REGISTERS),
    };
}

static bool is_whole(const struct sampler_record *record, size_t size)
{
    if (size < SAMPLER_RECORD_HEADER_BYTES) {
        return false;
    }
    uint32_t frame_cnt = (uint32_t)record->kernel_cnt + record->user_cnt;
    bool fits =
        frame_cnt <= SAMPLER_MAX_FRAMES &&
        frame_cnt + record->snapshot_words <= SAMPLER_MAX_WORDS &&
        (record->snapshot_words == 0 || record->snapshot_words >= SAMPLER_SNAPSHOT_REGISTERS);
    return fits &&
           size >= SAMPLER_RECORD_HEADER_BYTES + 8 * ((size_t)frame_cnt + record->snapshot_words);
}

static int on_record(void *context, void *data, size_t size)
{
    struct system_sampler *sampler = context;
    const struct sampler_record *record = data;
    if (!is_whole(record, size)) {
        return 0; // our own BPF program never sends such a record
    }
    struct system_sample sample;
    copy_frames(record, sampler->frames);
    sample_of_record(record, sampler->frames, &sample);
    struct system_snapshot snapshot;
    if (record->snapshot_words > 0) {
        snapshot = snapshot_of_record(record);
        sample.snapshot = &snapshot;
    }
    sampler->handler(sampler->context, &sample);
    return 0;
}

// --- loading ------------------------------------------------------------------

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t size = SYSTEM_SAMPLER_MIN_RING_BYTES;
    while (size < at_least && size < SYSTEM_SAMPLER_MAX_RING_BYTES) {
        size *= 2;
    }
    return size;
}

static bool configure(const struct system_sampler *sampler, struct error *err)
{
    const struct system_sampler_options *options = &sampler->options;
    struct sampler_bpf *bpf = sampler->bpf;
    bool trees = options->scope == SYSTEM_SCOPE_TREES;
    bpf->rodata->period_ns = options->period_ns;
    bpf->rodata->excluded_pid = options->excluded_pid;
    uint32_t kinds = 0;
    int subsystem = -1;
    if (options->filter != NULL &&
        !sampler_filter_kinds(options->filter, &kinds, &subsystem, err)) {
        return false;
    }
    kinds |= options->scope == SYSTEM_SCOPE_HOST ? 0 : (uint32_t)SAMPLER_FILTER_PROCESS;
    bpf->rodata->filter_kinds = kinds;
    bpf->rodata->filter_cgroup_subsystem = subsystem;
    (void)bpf_program__set_autoload(bpf->progs.on_process_fork, trees);
    (void)bpf_program__set_autoload(bpf->progs.on_process_exit, trees);
    (void)bpf_map__set_max_entries(bpf->maps.samples, power_of_two(options->ring_bytes));
    (void)bpf_map__set_max_entries(bpf->maps.counters, sampler->possible_cnt);
    return true;
}

static bool check_kernel(struct error *err)
{
    if (access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
        return true;
    }
    if (errno == EACCES) {
        return error_os(err, errno, "read /sys/kernel/btf/vmlinux");
    }
    return error_set(err, ERROR_UNSUPPORTED,
                     "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): the sampler "
                     "needs Linux 5.15 or later built with CONFIG_DEBUG_INFO_BTF=y");
}

static bool load_refused(int sys_errno, struct error *err)
{
    if (sys_errno == EPERM || sys_errno == EACCES) {
        return error_os(err, sys_errno,
                        "load the BPF program: run as root, or give the binary its rights "
                        "(setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep)");
    }
    if (sys_errno == ENOSYS) {
        return error_os(err, sys_errno, "load the BPF program: the kernel has no bpf()");
    }
    return error_os(err, sys_errno,
                    "load the BPF program: Linux 5.15 or later is needed; -v shows the "
                    "kernel's reasons");
}

static bool open_skeleton(struct system_sampler *sampler, struct error *err)
{
    libbpf_log_install();
    int possible_cnt = libbpf_num_possible_cpus();
    if (possible_cnt <= 0) {
        return error_os(err, -possible_cnt, "count the possible CPUs");
    }
    sampler->possible_cnt = (uint32_t)possible_cnt;
    sampler->bpf = sampler_bpf__open();
    if (sampler->bpf == NULL) {
        return error_os(err, errno, "open the BPF program");
    }
    if (!configure(sampler, err)) {
        return false;
    }
    int result = sampler_bpf__load(sampler->bpf);
    return result == 0 || load_refused(-result, err);
}

static size_t counters_bytes(const struct system_sampler *sampler)
{
    return sampler->possible_cnt * sizeof *sampler->counters;
}

static bool map_counters(struct system_sampler *sampler, struct error *err)
{
    void *at = mmap(NULL, counters_bytes(sampler), PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf_map__fd(sampler->bpf->maps.counters), 0);
    if (at == MAP_FAILED) {
        return error_os(err, errno, "map the sampler's counters");
    }
    sampler->counters = at;
    sampler->clocks = calloc(sampler->possible_cnt, sizeof *sampler->clocks);
    return sampler->clocks != NULL || error_os(err, ENOMEM, "allocate the CPU clocks");
}

static bool open_ring(struct system_sampler *sampler, struct error *err)
{
    sampler->ring =
        ring_buffer__new(bpf_map__fd(sampler->bpf->maps.samples), on_record, sampler, NULL);
    return sampler->ring != NULL || error_os(err, errno, "map the ring buffer");
}

static bool open_unwind(struct system_sampler *sampler, struct error *err)
{
    const struct unwind_map_fds fds = {
        .rules = bpf_map__fd(sampler->bpf->maps.unwind_rules),
        .pages = bpf_map__fd(sampler->bpf->maps.unwind_pages),
        .mappings = bpf_map__fd(sampler->bpf->maps.unwind_mappings),
        .shards = bpf_map__fd(sampler->bpf->maps.unwind_shards),
        .processes = bpf_map__fd(sampler->bpf->maps.unwind_processes),
    };
    sampler->unwind = unwind_store_create(&fds, err);
    return sampler->unwind != NULL;
}

static bool fill_filters(struct system_sampler *sampler, struct error *err)
{
    const struct system_filter *filter = sampler->options.filter;
    sampler->options.filter = NULL; // borrowed for this call only
    struct sampler_filter_maps maps = {
        .threads = sampler->bpf->maps.filter_threads,
        .users = sampler->bpf->maps.filter_users,
        .comms = sampler->bpf->maps.filter_comms,
        .cgroups = sampler->bpf->maps.filter_cgroups,
    };
    if (filter != NULL && !sampler_filter_fill(filter, &maps, err)) {
        return false;
    }
    for (uint32_t i = 0; i < sampler->options.pid_cnt; i++) {
        if (!system_sampler_trace(sampler, sampler->options.pids[i], err)) {
            return false;
        }
    }
    sampler->options.pids = NULL; // borrowed for this call only
    return true;
}

struct system_sampler *system_sampler_create(const struct system_sampler_options *options,
                                             system_sample_handler handler, void *context,
                                             struct error *err)
{
    struct system_sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        (void)error_os(err, ENOMEM, "allocate the sampler");
        return NULL;
    }
    sampler->options = *options;
    sampler->handler = handler;
    sampler->context = context;
    if (!check_kernel(err) || !open_skeleton(sampler, err) || !map_counters(sampler, err) ||
        !open_ring(sampler, err) || !open_unwind(sampler, err) || !fill_filters(sampler, err)) {
        system_sampler_destroy(sampler);
        return NULL;
    }
    return sampler;
}

void system_sampler_destroy(struct system_sampler *sampler)
{
    if (sampler == NULL) {
        return;
    }
    system_sampler_stop(sampler);
    ring_buffer__free(sampler->ring);
    unwind_store_destroy(sampler->unwind);
    if (sampler->counters != NULL) {
        (void)munmap(sampler->counters, counters_bytes(sampler));
    }
    sampler_bpf__destroy(sampler->bpf);
    free(sampler->clocks);
    free(sampler);
}

bool system_sampler_trace(struct system_sampler *sampler, uint32_t pid, struct error *err)
{
    uint32_t one = 1;
    int result = bpf_map__update_elem(sampler->bpf->maps.traced, &pid, sizeof pid, &one, sizeof one,
                                      BPF_ANY);
    return result == 0 || error_os(err, -result, "trace process %u", pid);
}

// --- clocks -------------------------------------------------------------------

static enum cpu_clock_result open_clock(struct system_sampler *sampler, uint32_t cpu,
                                        struct error *err)
{
    sampler->counters[cpu].last_tick_ns = clock_monotonic_ns();
    return cpu_clock_open(&sampler->clocks[cpu], cpu, sampler->options.period_ns,
                          sampler->bpf->progs.on_cpu_tick, err);
}

// A CPU that went offline took its event with it; when it is back it needs
// another one.
static bool follow_cpus(struct system_sampler *sampler, struct error *err)
{
    struct cpu_list online;
    if (!cpu_list_read_online(&online, err)) {
        return false;
    }
    bool ok = true;
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt; cpu++) {
        bool is_open = cpu_clock_is_open(&sampler->clocks[cpu]);
        if (is_open && !cpu_list_has(&online, cpu)) {
            cpu_clock_close(&sampler->clocks[cpu]);
        } else if (!is_open && cpu_list_has(&online, cpu)) {
            ok = open_clock(sampler, cpu, err) != CPU_CLOCK_FAILED && ok;
        }
    }
    sampler->cpus_checked_ns = clock_monotonic_ns();
    return ok;
}

static bool attach_forks(struct system_sampler *sampler, struct error *err)
{
    if (sampler->options.scope != SYSTEM_SCOPE_TREES) {
        return true;
    }
    int result = sampler_bpf__attach(sampler->bpf);
    return result == 0 || error_os(err, -result, "attach to the kernel's fork and exit events");
}

bool system_sampler_start(struct system_sampler *sampler, struct error *err)
{
    sampler->start_ns = clock_monotonic_ns();
    if (attach_forks(sampler, err) && follow_cpus(sampler, err)) {
        return true;
    }
    system_sampler_stop(sampler);
    return false;
}

static void close_clock(struct system_sampler *sampler, uint32_t cpu, uint64_t now_ns)
{
    uint64_t last_ns = sampler->counters[cpu].last_tick_ns;
    if (now_ns > last_ns) {
        sampler->tail_missed += (now_ns - last_ns) / sampler->options.period_ns;
    }
    cpu_clock_close(&sampler->clocks[cpu]);
}

void system_sampler_stop(struct system_sampler *sampler)
{
    for (uint32_t cpu = 0; sampler->clocks != NULL && cpu < sampler->possible_cnt; cpu++) {
        if (cpu_clock_is_open(&sampler->clocks[cpu])) {
            close_clock(sampler, cpu, clock_monotonic_ns());
        }
    }
}

void system_sampler_drain(struct system_sampler *sampler, int timeout_ms)
{
    struct epoll_event event;
    if (timeout_ms > 0) {
        (void)epoll_wait(ring_buffer__epoll_fd(sampler->ring), &event, 1, timeout_ms);
    }
    (void)ring_buffer__consume(sampler->ring);
    uint64_t now_ns = clock_monotonic_ns();
    if (timeout_ms > 0 && now_ns - sampler->cpus_checked_ns > CPUS_CHECK_MS * 1000000ULL) {
        (void)follow_cpus(sampler, NULL); // a CPU that cannot be opened now is tried again
    }
}

struct system_ticks system_sampler_ticks(const struct system_sampler *sampler)
{
    struct system_ticks sum = {.missed = sampler->tail_missed};
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt; cpu++) {
        const volatile struct sampler_counters *counters = &sampler->counters[cpu];
        sum.ticks += counters->ticks;
        sum.missed += counters->missed;
        sum.idle += counters->idle;
        sum.excluded += counters->excluded;
        sum.samples += counters->samples;
        sum.ring_full += counters->ring_full;
        sum.cpu_cnt += cpu_clock_is_open(&sampler->clocks[cpu]) ? 1 : 0;
    }
    return sum;
}

struct unwind_store *system_sampler_unwind_store(struct system_sampler *sampler)
{
    return sampler->unwind;
}

uint64_t system_sampler_start_ns(const struct system_sampler *sampler)
{
    return sampler->start_ns;
}

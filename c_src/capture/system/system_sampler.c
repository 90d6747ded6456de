// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_sampler.h"

#include "base/clock.h"
#include "capture/system/cpu_clock.h"
#include "capture/system/cpu_list.h"
#include "capture/system/libbpf_log.h"
#include "capture/system/record_backlog.h"
#include "capture/system/sample_ring.h"
#include "capture/system/sampler_filter.h"
#include "capture/system/sampler_record.h"
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

enum {
    CPUS_CHECK_MS = 1000,
    MAX_BACKLOG_BYTES = 16 << 20,
    MIN_RATE_RING_BYTES = 1 << 20,
    MAX_RATE_RING_BYTES = 16 << 20,
    LOOKS_EVERY = 4,        // records, at the clock
    PIECE_BYTES = 64 << 10, // of the ring; what was copied is still near when it is looked at
    PATIENT_RING_SHARE = 4, // so much of the ring may fill between two looks
    LEAST_PATIENCE_MS = 100,
    MOST_PATIENCE_MS = 250, // for events that nobody knows the number of
};
// So long the ring may wait while records are looked at.
#define TAKE_OVER_NS (20ULL * CLOCK_NS_PER_MS)

struct system_sampler {
    struct system_sampler_options options;
    uint64_t period_ns; // of the clock, now
    system_sample_handler handler;
    void *context;
    struct sampler_bpf *bpf;
    struct sample_ring ring;
    struct record_backlog backlog;
    uint64_t taken_over_ns;
    bool is_taking_over; // out of memory, a record is looked at in the midst of it
    struct unwind_store *unwind;
    struct exit_watch exits;
    struct sampler_counters *counters; // possible_cnt of them, shared with the BPF program
    struct sampler_event_counters *event_counters; // by CPU, then by event; likewise
    struct cpu_clock *clocks; // possible_cnt of each event, by event and then by CPU
    uint32_t possible_cnt;
    uint64_t start_ns;
    uint64_t cpus_checked_ns;
    size_t drained_bytes; // of the last time
    uint64_t drained_ns;
    uint64_t drained_for_ns; // since the time before
    uint64_t implausible[SYSTEM_EVENT_CNT];
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

static void hand_over(struct system_sampler *sampler, const struct sampler_record *record,
                      size_t size)
{
    if (!sampler_record_is_whole(record, size)) {
        sampler->implausible[sampler_record_event(record, size)]++;
        return;
    }
    struct system_sample sample;
    sampler_record_sample(record, sampler->frames, &sample);
    struct system_snapshot snapshot;
    if (record->snapshot_words > 0) {
        snapshot = sampler_record_snapshot(record);
        sample.snapshot = &snapshot;
    }
    sampler->handler(sampler->context, &sample);
}

// Looked at later: what it takes to know a process must not keep the ring waiting.
static void on_record(void *context, const void *data, size_t size)
{
    struct system_sampler *sampler = context;
    sampler->drained_bytes += size;
    if (!record_backlog_put(&sampler->backlog, data, size)) {
        hand_over(sampler, data, size);
    }
}

// True: there is more.
static bool take_over(struct system_sampler *sampler, uint64_t max_bytes)
{
    bool has_more = false;
    if (!sampler->is_taking_over && sampler->backlog.bytes < MAX_BACKLOG_BYTES) {
        sampler->is_taking_over = true;
        has_more = sample_ring_drain(&sampler->ring, max_bytes, on_record, sampler);
        sampler->is_taking_over = false;
    }
    sampler->taken_over_ns = clock_monotonic_ns();
    return has_more;
}

void system_sampler_take_over(struct system_sampler *sampler)
{
    (void)take_over(sampler, UINT64_MAX);
}

static void hand_over_all(struct system_sampler *sampler)
{
    const void *record = NULL;
    size_t size = 0;
    for (uint32_t i = 0; (record = record_backlog_next(&sampler->backlog, &size)) != NULL; i++) {
        hand_over(sampler, record, size);
        if (i % LOOKS_EVERY == 0 && clock_monotonic_ns() - sampler->taken_over_ns > TAKE_OVER_NS) {
            system_sampler_take_over(sampler);
        }
    }
}

// No more than the ring holds: what comes meanwhile has time.
bool system_sampler_drain_on(struct system_sampler *sampler)
{
    bool has_more = take_over(sampler, PIECE_BYTES);
    hand_over_all(sampler);
    return has_more && sampler->drained_bytes < sampler->options.ring_bytes;
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

// For a quarter of a second of samples that all bring a copied stack; of others it is
// several seconds.
static uint32_t ring_bytes_of(const struct system_sampler_options *options)
{
    uint64_t cpu_cnt = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (options->ring_bytes != 0) {
        return power_of_two(options->ring_bytes);
    }
    if (options->period_ns == 0 || system_event_has_other(&options->events)) {
        return SYSTEM_SAMPLER_DEFAULT_RING_BYTES;
    }
    uint64_t wanted =
        1000000000ULL / options->period_ns * cpu_cnt * SAMPLER_SNAPSHOT_STACK_BYTES / 4;
    uint32_t bytes = MIN_RATE_RING_BYTES;
    while (bytes * 3ULL / 2 < wanted && bytes < MAX_RATE_RING_BYTES) {
        bytes *= 2;
    }
    return bytes;
}

// Sampled by a perf event of its own on each CPU.
static uint64_t counter_period(const struct system_sampler *sampler, enum system_event event)
{
    if (event == SYSTEM_EVENT_CPU_CLOCK) {
        return sampler->period_ns;
    }
    return system_event_number(event) == SYSTEM_EVENT_EVERY ? sampler->options.events.values[event]
                                                            : 0;
}

static void configure_events(const struct system_sampler *sampler)
{
    const uint64_t *values = sampler->options.events.values;
    struct sampler_bpf *bpf = sampler->bpf;
    bool switches = system_event_has_switches(&sampler->options.events);
    bool counts = false;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        counts = counts || (i != SYSTEM_EVENT_CPU_CLOCK && counter_period(sampler, i) != 0);
    }
    bpf->rodata->tells_files_at_once = switches; // unwind_tables_set_eager
    bpf->rodata->wants_off_cpu = values[SYSTEM_EVENT_OFF_CPU] != 0;
    bpf->rodata->wants_run_queue = values[SYSTEM_EVENT_RUN_QUEUE] != 0;
    bpf->rodata->off_cpu_min_ns = values[SYSTEM_EVENT_OFF_CPU];
    bpf->rodata->run_queue_min_ns = values[SYSTEM_EVENT_RUN_QUEUE];
    bpf->bss->max_switches_per_s = SYSTEM_SAMPLER_MAX_SWITCHES;
    (void)bpf_program__set_autoload(bpf->progs.on_switch, switches);
    (void)bpf_program__set_autoload(bpf->progs.on_waking, switches);
    (void)bpf_program__set_autoload(bpf->progs.on_counted_event, counts);
    (void)bpf_map__set_max_entries(bpf->maps.event_counters,
                                   sampler->possible_cnt * SAMPLER_EVENT_CNT);
    if (switches) {
        (void)bpf_map__set_max_entries(bpf->maps.sleepers, SAMPLER_MAX_SLEEPERS);
    }
}

static bool configure(const struct system_sampler *sampler, struct error *err)
{
    const struct system_sampler_options *options = &sampler->options;
    struct sampler_bpf *bpf = sampler->bpf;
    bool trees = options->scope == SYSTEM_SCOPE_TREES;
    configure_events(sampler);
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
    (void)bpf_program__set_autoload(bpf->progs.on_watched_exit, options->exit_name_cnt > 0);
    (void)bpf_map__set_max_entries(bpf->maps.samples, sampler->options.ring_bytes);
    (void)bpf_map__set_max_entries(bpf->maps.counters, sampler->possible_cnt);
    (void)bpf_map__set_max_entries(bpf->maps.rule_memos,
                                   sampler->possible_cnt * SAMPLER_MEMO_PLACES);
    (void)bpf_map__set_max_entries(bpf->maps.process_memos,
                                   sampler->possible_cnt * SAMPLER_MEMO_PROCESSES);
    (void)bpf_map__set_max_entries(bpf->maps.mapping_memos,
                                   sampler->possible_cnt * SAMPLER_MEMO_MAPPINGS);
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

static size_t event_counters_bytes(const struct system_sampler *sampler)
{
    return (size_t)sampler->possible_cnt * SAMPLER_EVENT_CNT * sizeof *sampler->event_counters;
}

static void *map_array(const struct bpf_map *map, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf_map__fd((struct bpf_map *)map), 0);
    return at == MAP_FAILED ? NULL : at;
}

static bool map_counters(struct system_sampler *sampler, struct error *err)
{
    sampler->counters = map_array(sampler->bpf->maps.counters, counters_bytes(sampler));
    sampler->event_counters =
        map_array(sampler->bpf->maps.event_counters, event_counters_bytes(sampler));
    if (sampler->counters == NULL || sampler->event_counters == NULL) {
        return error_os(err, errno, "map the sampler's counters");
    }
    sampler->clocks =
        calloc((size_t)sampler->possible_cnt * SYSTEM_EVENT_CNT, sizeof *sampler->clocks);
    return sampler->clocks != NULL || error_os(err, ENOMEM, "allocate the CPU clocks");
}

static bool open_ring(struct system_sampler *sampler, struct error *err)
{
    return sample_ring_open(&sampler->ring, bpf_map__fd(sampler->bpf->maps.samples),
                            sampler->options.ring_bytes) ||
           error_os(err, errno, "map the ring buffer");
}

static bool open_unwind(struct system_sampler *sampler, struct error *err)
{
    const struct unwind_map_fds fds = {
        .rules = bpf_map__fd(sampler->bpf->maps.unwind_rules),
        .pages = bpf_map__fd(sampler->bpf->maps.unwind_pages),
        .mappings = bpf_map__fd(sampler->bpf->maps.unwind_mappings),
        .shards = bpf_map__fd(sampler->bpf->maps.unwind_shards),
        .processes = bpf_map__fd(sampler->bpf->maps.unwind_processes),
        .generations = sampler->bpf->bss->table_generations,
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

static bool watch_exits(struct system_sampler *sampler, struct error *err)
{
    const struct system_sampler_options *options = &sampler->options;
    bool ok = options->exit_name_cnt == 0 ||
              exit_watch_open(&sampler->exits, bpf_map__fd(sampler->bpf->maps.watched_names),
                              bpf_map__fd(sampler->bpf->maps.exits), options->exit_names,
                              options->exit_name_cnt, err);
    sampler->options.exit_names = NULL; // borrowed for this call only
    return ok;
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
    sampler->options.ring_bytes = ring_bytes_of(options);
    sampler->period_ns = options->period_ns;
    sampler->handler = handler;
    sampler->context = context;
    if (!check_kernel(err) || !open_skeleton(sampler, err) || !map_counters(sampler, err) ||
        !open_ring(sampler, err) || !open_unwind(sampler, err) || !fill_filters(sampler, err) ||
        !watch_exits(sampler, err)) {
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
    sample_ring_close(&sampler->ring);
    record_backlog_deinit(&sampler->backlog);
    unwind_store_destroy(sampler->unwind);
    exit_watch_close(&sampler->exits);
    if (sampler->counters != NULL) {
        (void)munmap(sampler->counters, counters_bytes(sampler));
    }
    if (sampler->event_counters != NULL) {
        (void)munmap(sampler->event_counters, event_counters_bytes(sampler));
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

static struct cpu_clock *clock_of(const struct system_sampler *sampler, enum system_event event,
                                  uint32_t cpu)
{
    return &sampler->clocks[(size_t)event * sampler->possible_cnt + cpu];
}

static enum cpu_clock_result open_clock(struct system_sampler *sampler, enum system_event event,
                                        uint32_t cpu, struct error *err)
{
    const struct bpf_program *program = sampler->bpf->progs.on_counted_event;
    if (event == SYSTEM_EVENT_CPU_CLOCK) {
        sampler->counters[cpu].period_ns = sampler->period_ns;
        sampler->counters[cpu].last_tick_ns = clock_monotonic_ns();
        program = sampler->bpf->progs.on_cpu_tick;
    }
    return cpu_clock_open(clock_of(sampler, event, cpu), cpu, event, counter_period(sampler, event),
                          program, err);
}

// A CPU that went offline took its event with it; when it is back it needs
// another one.
static bool follow_event(struct system_sampler *sampler, enum system_event event,
                         const struct cpu_list *online, struct error *err)
{
    bool ok = true;
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt; cpu++) {
        struct cpu_clock *clock = clock_of(sampler, event, cpu);
        bool is_open = cpu_clock_is_open(clock);
        if (is_open && !cpu_list_has(online, cpu)) {
            cpu_clock_close(clock);
        } else if (!is_open && cpu_list_has(online, cpu)) {
            ok = open_clock(sampler, event, cpu, err) != CPU_CLOCK_FAILED && ok;
        }
    }
    return ok;
}

static bool follow_cpus(struct system_sampler *sampler, struct error *err)
{
    struct cpu_list online;
    if (!cpu_list_read_online(&online, err)) {
        return false;
    }
    bool ok = true;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (counter_period(sampler, i) != 0) {
            ok = follow_event(sampler, i, &online, err) && ok;
        }
    }
    sampler->cpus_checked_ns = clock_monotonic_ns();
    return ok;
}

// The next tick comes a new period after the change: that much later is not missed.
static void change_clock(struct system_sampler *sampler, uint32_t cpu)
{
    struct cpu_clock *clock = clock_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu);
    struct sampler_counters *counters = &sampler->counters[cpu];
    if (cpu_clock_is_open(clock) && cpu_clock_set_period(clock, sampler->period_ns)) {
        counters->last_tick_ns = clock_monotonic_ns();
        counters->period_ns = sampler->period_ns;
    }
}

void system_sampler_set_pace(struct system_sampler *sampler, uint32_t percent)
{
    sampler->period_ns = sampler->options.period_ns * percent / 100;
    sampler->bpf->bss->max_switches_per_s = SYSTEM_SAMPLER_MAX_SWITCHES * 100 / percent;
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt && sampler->period_ns != 0; cpu++) {
        change_clock(sampler, cpu);
    }
}

// Those programs that wait for a place in the kernel and not for an event of ours.
static bool attach_tracepoints(struct system_sampler *sampler, struct error *err)
{
    if (sampler->options.scope != SYSTEM_SCOPE_TREES &&
        !system_event_has_switches(&sampler->options.events) &&
        sampler->options.exit_name_cnt == 0) {
        return true;
    }
    int result = sampler_bpf__attach(sampler->bpf);
    return result == 0 ||
           error_os(err, -result, "attach to the kernel's fork, exit and switch events");
}

bool system_sampler_start(struct system_sampler *sampler, struct error *err)
{
    sampler->start_ns = clock_monotonic_ns();
    if (attach_tracepoints(sampler, err) && follow_cpus(sampler, err)) {
        return true;
    }
    system_sampler_stop(sampler);
    return false;
}

static void close_clock(struct system_sampler *sampler, uint32_t cpu, uint64_t now_ns)
{
    uint64_t last_ns = sampler->counters[cpu].last_tick_ns;
    if (now_ns > last_ns) {
        sampler->tail_missed += (now_ns - last_ns) / sampler->period_ns;
    }
    cpu_clock_close(clock_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu));
}

void system_sampler_stop(struct system_sampler *sampler)
{
    if (sampler->clocks == NULL) {
        return;
    }
    if (system_event_has_switches(&sampler->options.events)) {
        sampler_bpf__detach(sampler->bpf);
    }
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt; cpu++) {
        if (cpu_clock_is_open(clock_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu))) {
            close_clock(sampler, cpu, clock_monotonic_ns());
        }
    }
    for (uint32_t i = 0; i < sampler->possible_cnt * SYSTEM_EVENT_CNT; i++) {
        cpu_clock_close(&sampler->clocks[i]);
    }
}

// --- threads that are off their CPU ---------------------------------------------

static void hand_over_sleeper(struct system_sampler *sampler, const struct sampler_sleeper *sleeper,
                              uint64_t now_ns, struct sampler_record *record)
{
    // Of CPU 0: nobody else counts any more.
    struct sampler_event_counters *counters = &sampler->event_counters[SAMPLER_EVENT_OFF_CPU];
    memcpy(record, sleeper->header, sizeof sleeper->header);
    memcpy(record->frames, sleeper->frames, sizeof sleeper->frames);
    record->event = SAMPLER_EVENT_OFF_CPU;
    record->time_ns = now_ns;
    record->weight = now_ns - sleeper->off_ns;
    record->state = sleeper->state;
    if (record->weight < sampler->options.events.values[SYSTEM_EVENT_OFF_CPU]) {
        counters->skipped++;
        return;
    }
    counters->samples++;
    size_t words = (size_t)record->kernel_cnt + record->user_cnt;
    hand_over(sampler, record, SAMPLER_RECORD_HEADER_BYTES + 8 * words);
}

void system_sampler_flush_blocked(struct system_sampler *sampler)
{
    int fd = bpf_map__fd(sampler->bpf->maps.sleepers);
    struct sampler_sleeper *sleeper = malloc(sizeof *sleeper);
    struct sampler_record *record = malloc(sizeof *record);
    uint32_t tid = 0;
    uint64_t now_ns = clock_monotonic_ns();
    bool wants = sampler->options.events.values[SYSTEM_EVENT_OFF_CPU] != 0;
    while (wants && sleeper != NULL && record != NULL &&
           bpf_map_get_next_key(fd, NULL, &tid) == 0) {
        if (bpf_map_lookup_elem(fd, &tid, sleeper) == 0) {
            hand_over_sleeper(sampler, sleeper, now_ns, record);
        }
        if (bpf_map_delete_elem(fd, &tid) != 0) {
            break;
        }
    }
    free(record);
    free(sleeper);
}

struct system_event_counts system_sampler_event_counts(const struct system_sampler *sampler,
                                                       enum system_event event)
{
    struct system_event_counts sum = {0};
    for (uint32_t cpu = 0; cpu < sampler->possible_cnt; cpu++) {
        const volatile struct sampler_event_counters *counters =
            &sampler->event_counters[(size_t)cpu * SAMPLER_EVENT_CNT + event];
        sum.seen += counters->seen;
        sum.excluded += counters->excluded;
        sum.skipped += counters->skipped;
        sum.limited += counters->limited;
        sum.no_room += counters->no_room;
        sum.samples += counters->samples;
        sum.ring_full += counters->ring_full;
    }
    sum.implausible = sampler->implausible[event];
    sum.samples -= sum.implausible;
    return sum;
}

bool system_sampler_drain(struct system_sampler *sampler, int timeout_ms)
{
    struct epoll_event event;
    if (timeout_ms > 0) {
        (void)epoll_wait(sampler->ring.epoll_fd, &event, 1, timeout_ms);
    }
    uint64_t last_ns = sampler->drained_ns;
    sampler->drained_bytes = 0;
    sampler->drained_ns = clock_monotonic_ns();
    sampler->drained_for_ns = last_ns == 0 ? 0 : sampler->drained_ns - last_ns;
    if (timeout_ms > 0 &&
        sampler->drained_ns - sampler->cpus_checked_ns > CPUS_CHECK_MS * 1000000ULL) {
        (void)follow_cpus(sampler, NULL); // a CPU that cannot be opened now is tried again
    }
    return system_sampler_drain_on(sampler);
}

int system_sampler_patience_ms(const struct system_sampler *sampler, int most_ms)
{
    uint64_t enough = sampler->options.ring_bytes / PATIENT_RING_SHARE;
    uint64_t most = most_ms < MOST_PATIENCE_MS || !system_event_has_other(&sampler->options.events)
                        ? (uint64_t)most_ms
                        : MOST_PATIENCE_MS;
    uint64_t bytes = sampler->drained_bytes == 0 ? 1 : sampler->drained_bytes;
    uint64_t until_ms = sampler->drained_for_ns / CLOCK_NS_PER_MS * enough / bytes;
    uint64_t ms = until_ms < LEAST_PATIENCE_MS ? LEAST_PATIENCE_MS : until_ms;
    return (int)(ms < most ? ms : most);
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
        sum.cpu_cnt += cpu_clock_is_open(clock_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu)) ? 1 : 0;
    }
    sum.implausible = sampler->implausible[SYSTEM_EVENT_CPU_CLOCK];
    sum.samples -= sum.implausible;
    return sum;
}

bool system_sampler_kernel_name(struct system_sampler *sampler, uint64_t address, struct text *name)
{
    LIBBPF_OPTS(bpf_test_run_opts, run);
    struct sampler_kernel_name *told = &sampler->bpf->bss->kernel_name;
    told->address = address;
    if (bpf_prog_test_run_opts(bpf_program__fd(sampler->bpf->progs.tell_kernel_name), &run) != 0) {
        return false;
    }
    *name = (struct text){told->text, (uint32_t)strnlen(told->text, sizeof told->text)};
    return true;
}

struct unwind_store *system_sampler_unwind_store(struct system_sampler *sampler)
{
    return sampler->unwind;
}

struct exit_notice system_sampler_exits(const struct system_sampler *sampler, uint32_t i)
{
    return exit_watch_read(&sampler->exits, i);
}

uint64_t system_sampler_start_ns(const struct system_sampler *sampler)
{
    return sampler->start_ns;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_sampler.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/system/cpu_list.h"
#include "capture/system/perf_record.h"
#include "capture/system/perf_stream.h"
#include "capture/system/perf_tasks.h"
#include "capture/system/task_filter.h"
#include "capture/system/task_table.h"
#include "capture/system/tid_set.h"
#include "sampler.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CHECK_MS = 1000, // for CPUs and threads that are new
    MAX_WAKEUPS = 16,
    // Of the user stack: whole where samples are few, and half of it where they are many.
    STACK_BYTES = 16384,
    FAST_STACK_BYTES = 8192,
    MIN_BUFFER_BYTES = 128 << 10,
    MAX_BUFFER_BYTES = 4 << 20,
    // What everybody may have of a CPU (kernel.perf_event_mlock_kb), without a page.
    OWN_BUFFER_BYTES = 512 << 10,
};
// At less than 250 Hz each sample wakes the reader: it finds the process as it was.
#define SLOW_PERIOD_NS (4ULL * CLOCK_NS_PER_MS)

struct counts {
    uint64_t excluded;
    uint64_t samples;
    uint64_t lost;         // the buffer was full
    uint64_t throttled_ns; // over all CPUs
};

struct perf_sampler {
    struct system_sampler_options options;
    struct system_filter filter;
    system_sample_handler handler;
    void *context;
    enum perf_event_reach reach;
    bool is_by_task;                    // events are of threads, not of CPUs
    enum system_event first_event;      // whose records tell of tasks
    uint64_t periods[SYSTEM_EVENT_CNT]; // 0 = not sampled
    struct perf_stream *streams;        // cpu_cnt of each event, by event and then by CPU
    uint32_t cpu_cnt;                   // possible
    int epoll_fd;
    struct unwind_store *unwind;
    struct task_table *tasks;
    struct perf_tasks *own; // NULL unless by task
    struct mapping_events *mappings;
    struct tid_set traced; // processes
    uint32_t *pids;        // those that were given
    uint32_t pid_cnt;
    struct counts counts[SYSTEM_EVENT_CNT];
    uint64_t start_ns;
    uint64_t checked_ns;
    bool is_running;
    bool was_refused;
    uint64_t record[PERF_RING_MAX_RECORD_BYTES / 8];
};

// --- from a record to the handler -------------------------------------------------------

static bool is_wanted(struct perf_sampler *sampler, const struct perf_record *record,
                      const struct task *thread)
{
    if (record->pid == 0 || record->pid == sampler->options.excluded_pid) {
        return false;
    }
    return (sampler->options.scope == SYSTEM_SCOPE_HOST ||
            tid_set_has(&sampler->traced, record->pid)) &&
           task_filter_passes(&sampler->filter, sampler->tasks, thread);
}

static enum system_stack_end stack_end(const struct perf_record *record)
{
    if (record->abi == PERF_RECORD_ABI_32) {
        return SYSTEM_STACK_32BIT;
    }
    bool has_user = record->abi == PERF_RECORD_ABI_64 && record->registers.pc != 0 &&
                    (int64_t)record->registers.pc > 0;
    return has_user ? SYSTEM_STACK_SNAPSHOT : SYSTEM_STACK_NO_USER;
}

static void sample_of_record(const struct perf_record *record, const struct task *thread,
                             struct system_sample *sample)
{
    *sample = (struct system_sample){
        .time_ns = record->time_ns,
        .pid = record->pid,
        .tid = record->tid,
        .cpu = record->cpu,
        .stack_end = stack_end(record),
        .thread_start_ns = thread->start_ns,
        .cpu_ns = thread->cpu_ns,
        .voluntary_switches = thread->voluntary_switches,
        .involuntary_switches = thread->involuntary_switches,
        .minor_faults = thread->minor_faults,
        .major_faults = thread->major_faults,
        .kernel_cnt = record->kernel_cnt < SAMPLER_MAX_KERNEL_FRAMES
                          ? record->kernel_cnt
                          : (uint32_t)SAMPLER_MAX_KERNEL_FRAMES,
        .frames = record->kernel,
    };
    memcpy(sample->comm, thread->comm, sizeof sample->comm);
}

static struct system_snapshot snapshot_of_record(const struct perf_record *record)
{
    const struct perf_record_registers *registers = &record->registers;
    return (struct system_snapshot){
        .pc = registers->pc,
        .sp = registers->sp,
        .fp = registers->fp,
        .r13 = registers->r13,
        .r10 = registers->r10,
        .r11 = registers->r11,
        .rax = registers->rax,
        .rbx = registers->rbx,
        .stack = record->stack,
        .stack_bytes = record->stack_bytes,
        .reads_memory = true,
    };
}

static void take_sample(struct perf_sampler *sampler, const struct perf_stream *stream,
                        const struct perf_event_header *header)
{
    struct perf_record record;
    struct system_sample sample;
    struct counts *counts = &sampler->counts[stream->event];
    bool has_callchain = sampler->reach != PERF_EVENT_OWN_USER;
    if (!perf_record_parse(header, header->size, has_callchain, &record)) {
        counts->lost++; // the kernel never sends such a record
        return;
    }
    struct task thread =
        *task_table_thread(sampler->tasks, record.pid, record.tid, clock_monotonic_ns());
    if (!is_wanted(sampler, &record, &thread)) {
        counts->excluded++;
        return;
    }
    counts->samples++;
    sample_of_record(&record, &thread, &sample);
    struct system_snapshot snapshot = snapshot_of_record(&record);
    sample.event = stream->event;
    sample.weight = sampler->periods[stream->event];
    if (record.abi != PERF_RECORD_ABI_NONE) {
        sample.address_space = task_table_process(sampler->tasks, record.pid)->program;
    }
    sample.snapshot = sample.stack_end == SYSTEM_STACK_SNAPSHOT ? &snapshot : NULL;
    sampler->handler(sampler->context, &sample);
}

// --- other records ----------------------------------------------------------------------

struct fork_record {
    struct perf_event_header header;
    uint32_t pid, parent_pid;
    uint32_t tid, parent_tid;
};

// Children of traced processes are traced, and an id that is used again is not.
static void follow_fork(struct perf_sampler *sampler, const struct fork_record *record)
{
    if (record->pid == record->parent_pid) {
        return;
    }
    bool is_traced = sampler->options.scope == SYSTEM_SCOPE_TREES &&
                     tid_set_has(&sampler->traced, record->parent_pid);
    if (is_traced) {
        tid_set_add(&sampler->traced, record->pid);
    } else {
        tid_set_remove(&sampler->traced, record->pid);
    }
}

static void take_task(struct perf_sampler *sampler, const struct perf_event_header *header)
{
    task_table_take(sampler->tasks, header, header->size);
    mapping_events_take(sampler->mappings, header, header->size);
    if (sampler->own != NULL) {
        perf_tasks_take(sampler->own, header, header->size);
    }
    if (header->type == PERF_RECORD_FORK && header->size >= sizeof(struct fork_record)) {
        follow_fork(sampler, (const struct fork_record *)header);
    }
}

static uint64_t word_of(const struct perf_event_header *header, size_t number)
{
    uint64_t word = 0;
    size_t at = sizeof *header + number * sizeof word;
    if (header->size >= at + sizeof word) {
        memcpy(&word, (const char *)header + at, sizeof word);
    }
    return word;
}

static void on_record(void *context, struct perf_stream *stream,
                      const struct perf_event_header *header)
{
    struct perf_sampler *sampler = context;
    struct counts *counts = &sampler->counts[stream->event];
    switch (header->type) {
    case PERF_RECORD_SAMPLE:
        take_sample(sampler, stream, header);
        break;
    case PERF_RECORD_LOST:
        counts->lost += word_of(header, 1);
        break;
    case PERF_RECORD_THROTTLE:
        stream->throttled_ns = word_of(header, 0);
        break;
    case PERF_RECORD_UNTHROTTLE:
        counts->throttled_ns +=
            stream->throttled_ns == 0 ? 0 : word_of(header, 0) - stream->throttled_ns;
        stream->throttled_ns = 0;
        break;
    default:
        take_task(sampler, header);
    }
}

// --- opening ------------------------------------------------------------------------------

static bool choose_events(struct perf_sampler *sampler, struct error *err)
{
    const struct system_sampler_options *options = &sampler->options;
    sampler->first_event = SYSTEM_EVENT_CNT;
    if (options->exit_name_cnt > 0) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "a trigger that waits for the end of a process needs BPF, which cannot "
                         "be used here");
    }
    for (int i = SYSTEM_EVENT_CNT - 1; i >= 0; i--) {
        uint64_t period =
            i == SYSTEM_EVENT_CPU_CLOCK ? options->period_ns : options->events.values[i];
        if (period == 0) {
            continue;
        }
        if (system_event_number(i) == SYSTEM_EVENT_MIN_NS) {
            return error_set(err, ERROR_UNSUPPORTED, "-e %s needs BPF, which cannot be used here",
                             system_event_name(i));
        }
        sampler->periods[i] = period;
        sampler->first_event = (enum system_event)i;
    }
    return true;
}

static uint32_t buffer_bytes(const struct perf_sampler *sampler)
{
    uint32_t bytes = MIN_BUFFER_BYTES;
    uint32_t all = sampler->options.ring_bytes == 0 ? (uint32_t)SYSTEM_SAMPLER_DEFAULT_RING_BYTES
                                                    : sampler->options.ring_bytes;
    uint32_t wanted = sampler->reach == PERF_EVENT_EVERY_CPU ? all / sampler->cpu_cnt * 2
                                                             : (uint32_t)OWN_BUFFER_BYTES;
    while (bytes < wanted && bytes < MAX_BUFFER_BYTES) {
        bytes *= 2;
    }
    return bytes;
}

static struct perf_event_wish wish_of(const struct perf_sampler *sampler, enum system_event event,
                                      uint32_t cpu)
{
    bool is_slow = event != SYSTEM_EVENT_CPU_CLOCK || sampler->periods[event] > SLOW_PERIOD_NS;
    return (struct perf_event_wish){
        .event = event,
        .period = sampler->periods[event],
        .cpu = cpu,
        .tid = sampler->is_by_task ? 0 : -1,
        .sees_kernel = sampler->reach != PERF_EVENT_OWN_USER,
        .tells_tasks = event == sampler->first_event && !sampler->is_by_task,
        .stack_bytes = is_slow ? STACK_BYTES : FAST_STACK_BYTES,
        .ring_bytes = buffer_bytes(sampler),
        .wakes_each = is_slow,
    };
}

static bool refused(const struct perf_event_wish *wish, int sys_errno, struct error *err)
{
    if (sys_errno == ENOENT || sys_errno == EOPNOTSUPP) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "-e %s: this machine has no such counter (virtual machines often have "
                         "none); cpu-clock needs none",
                         system_event_name(wish->event));
    }
    if (sys_errno == EPERM || sys_errno == ENOMEM) {
        return error_os(err, sys_errno,
                        "map the perf buffer of CPU %u: raise kernel.perf_event_mlock_kb or the "
                        "limit of locked memory (ulimit -l)",
                        wish->cpu);
    }
    return error_os(err, sys_errno, "perf_event_open on CPU %u%s", wish->cpu,
                    sys_errno == EMFILE ? ": raise the limit of open files (ulimit -n)" : "");
}

static struct perf_stream *stream_of(const struct perf_sampler *sampler, enum system_event event,
                                     uint32_t cpu)
{
    return &sampler->streams[(size_t)event * sampler->cpu_cnt + cpu];
}

static bool open_stream(struct perf_sampler *sampler, enum system_event event, uint32_t cpu,
                        struct error *err)
{
    struct perf_stream *stream = stream_of(sampler, event, cpu);
    struct perf_event_wish wish = wish_of(sampler, event, cpu);
    struct epoll_event wanted = {.events = EPOLLIN};
    if (!perf_stream_open(stream, &wish)) {
        return errno == ENODEV || errno == ENXIO || refused(&wish, errno, err);
    }
    return epoll_ctl(sampler->epoll_fd, EPOLL_CTL_ADD, stream->owner_fd, &wanted) == 0 ||
           error_os(err, errno, "wait for the samples of CPU %u", cpu);
}

// A CPU that went offline took its event with it; when it is back it gets another one.
static bool follow_cpus(struct perf_sampler *sampler, struct error *err)
{
    struct cpu_list online;
    bool ok = cpu_list_read_online(&online, err);
    for (uint32_t i = 0; ok && i < SYSTEM_EVENT_CNT * sampler->cpu_cnt; i++) {
        enum system_event event = (enum system_event)(i / sampler->cpu_cnt);
        uint32_t cpu = i % sampler->cpu_cnt;
        bool is_open = perf_stream_is_open(&sampler->streams[i]);
        if (sampler->periods[event] == 0 || is_open == cpu_list_has(&online, cpu)) {
            continue;
        }
        if (is_open) {
            perf_stream_close(&sampler->streams[i]);
        } else {
            ok = open_stream(sampler, event, cpu, err);
        }
    }
    return ok;
}

static void follow_own(struct perf_sampler *sampler)
{
    struct perf_event_wish wish = wish_of(sampler, sampler->first_event, 0);
    bool is_host = sampler->options.scope == SYSTEM_SCOPE_HOST;
    if (sampler->own == NULL) {
        return;
    }
    perf_tasks_follow(sampler->own, is_host ? NULL : sampler->pids, is_host ? 0 : sampler->pid_cnt,
                      sampler->options.excluded_pid, sampler->streams,
                      SYSTEM_EVENT_CNT * sampler->cpu_cnt, sampler->periods, &wish);
    if (perf_tasks_refused(sampler->own) > 0 && !sampler->was_refused) {
        sampler->was_refused = true;
        log_warn("%u threads are not sampled: raise the limit of open files (ulimit -n)",
                 perf_tasks_refused(sampler->own));
    }
}

// --- lifecycle ----------------------------------------------------------------------------

static bool add_pid(struct perf_sampler *sampler, uint32_t pid)
{
    uint32_t *pids = realloc(sampler->pids, (sampler->pid_cnt + 1) * sizeof *pids);
    if (pids == NULL) {
        return false;
    }
    sampler->pids = pids;
    sampler->pids[sampler->pid_cnt++] = pid;
    tid_set_add(&sampler->traced, pid);
    return true;
}

static bool take_options(struct perf_sampler *sampler, struct error *err)
{
    struct system_sampler_options *options = &sampler->options;
    bool ok = true;
    if (options->filter != NULL) {
        sampler->filter = *options->filter;
    }
    for (uint32_t i = 0; i < options->pid_cnt && ok; i++) {
        ok = add_pid(sampler, options->pids[i]);
    }
    options->filter = NULL; // borrowed for this call only
    options->pids = NULL;
    return (ok || error_os(err, ENOMEM, "trace processes")) && choose_events(sampler, err);
}

static bool create_parts(struct perf_sampler *sampler, struct error *err)
{
    int cpu_cnt = libbpf_num_possible_cpus();
    if (cpu_cnt < 0) {
        return error_os(err, -cpu_cnt, "find out how many CPUs there may be");
    }
    sampler->cpu_cnt = (uint32_t)cpu_cnt;
    sampler->streams =
        calloc((size_t)SYSTEM_EVENT_CNT * sampler->cpu_cnt, sizeof *sampler->streams);
    sampler->tasks = task_table_create();
    // Of a tree, too, CPUs are sampled: a thread that lives for less than a period would
    // never have a sample.
    sampler->is_by_task =
        sampler->reach != PERF_EVENT_EVERY_CPU || sampler->options.scope == SYSTEM_SCOPE_PROCESSES;
    sampler->own = sampler->is_by_task ? perf_tasks_create() : NULL;
    sampler->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sampler->streams == NULL || sampler->tasks == NULL || sampler->epoll_fd < 0 ||
        (sampler->own == NULL && sampler->is_by_task)) {
        return error_os(err, ENOMEM, "allocate the sampler");
    }
    sampler->unwind = unwind_store_create(NULL, err);
    return sampler->unwind != NULL;
}

struct perf_sampler *perf_sampler_create(const struct system_sampler_options *options,
                                         struct mapping_events *mappings,
                                         system_sample_handler handler, void *context,
                                         struct error *err)
{
    struct perf_sampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        (void)error_os(err, ENOMEM, "allocate the sampler");
        return NULL;
    }
    sampler->options = *options;
    sampler->handler = handler;
    sampler->context = context;
    sampler->mappings = mappings;
    sampler->epoll_fd = -1;
    if (!take_options(sampler, err) || !perf_event_find_reach(&sampler->reach, err) ||
        !create_parts(sampler, err)) {
        perf_sampler_destroy(sampler);
        return NULL;
    }
    return sampler;
}

static void close_streams(struct perf_sampler *sampler)
{
    for (uint32_t i = 0; sampler->streams != NULL && i < SYSTEM_EVENT_CNT * sampler->cpu_cnt; i++) {
        perf_stream_close(&sampler->streams[i]);
    }
}

void perf_sampler_destroy(struct perf_sampler *sampler)
{
    if (sampler == NULL) {
        return;
    }
    perf_tasks_destroy(sampler->own);
    close_streams(sampler);
    if (sampler->epoll_fd >= 0) {
        (void)close(sampler->epoll_fd);
    }
    unwind_store_destroy(sampler->unwind);
    task_table_destroy(sampler->tasks);
    free(sampler->streams);
    free(sampler->pids);
    free(sampler);
}

bool perf_sampler_start(struct perf_sampler *sampler, struct error *err)
{
    sampler->start_ns = clock_monotonic_ns();
    sampler->checked_ns = sampler->start_ns;
    if (!follow_cpus(sampler, err)) {
        close_streams(sampler);
        return false;
    }
    sampler->is_running = true;
    follow_own(sampler);
    return true;
}

void perf_sampler_stop(struct perf_sampler *sampler)
{
    sampler->is_running = false;
    perf_tasks_destroy(sampler->own);
    sampler->own = NULL;
    for (uint32_t i = 0; i < SYSTEM_EVENT_CNT * sampler->cpu_cnt; i++) {
        perf_stream_stop(&sampler->streams[i]);
    }
}

bool perf_sampler_trace(struct perf_sampler *sampler, uint32_t pid, struct error *err)
{
    return add_pid(sampler, pid) || error_os(err, ENOMEM, "trace process %u", pid);
}

static void check(struct perf_sampler *sampler)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (sampler->is_running && now_ns - sampler->checked_ns > CHECK_MS * 1000000ULL) {
        sampler->checked_ns = now_ns;
        if (!sampler->is_by_task) {
            (void)follow_cpus(sampler, NULL); // a CPU that cannot be opened now is tried again
        }
        follow_own(sampler);
    }
}

void perf_sampler_drain(struct perf_sampler *sampler, int timeout_ms)
{
    struct epoll_event events[MAX_WAKEUPS];
    if (timeout_ms > 0) {
        (void)epoll_wait(sampler->epoll_fd, events, MAX_WAKEUPS, timeout_ms);
    }
    uint64_t until_ns = sampler->is_running ? clock_monotonic_ns() : UINT64_MAX - 1;
    perf_streams_drain(sampler->streams, SYSTEM_EVENT_CNT * sampler->cpu_cnt, until_ns,
                       sampler->record, on_record, sampler);
    check(sampler);
}

// --- what it did ----------------------------------------------------------------------------

enum perf_event_reach perf_sampler_reach(const struct perf_sampler *sampler)
{
    return sampler->reach;
}

struct unwind_store *perf_sampler_unwind_store(struct perf_sampler *sampler)
{
    return sampler->unwind;
}

struct system_event_counts perf_sampler_event_counts(const struct perf_sampler *sampler,
                                                     enum system_event event)
{
    const struct counts *counts = &sampler->counts[event];
    return (struct system_event_counts){
        .seen = counts->excluded + counts->samples + counts->lost,
        .excluded = counts->excluded,
        .samples = counts->samples,
        .ring_full = counts->lost,
    };
}

// Ticks that were due on CPUs that are sampled as a whole.
static uint64_t due(const struct perf_sampler *sampler)
{
    uint64_t sum = 0;
    uint64_t now_ns = clock_monotonic_ns();
    for (uint32_t cpu = 0; cpu < sampler->cpu_cnt; cpu++) {
        const struct perf_stream *stream = stream_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu);
        if (perf_stream_is_open(stream)) {
            uint64_t until_ns = stream->closed_ns == 0 ? now_ns : stream->closed_ns;
            sum += (until_ns - stream->opened_ns) / sampler->options.period_ns;
        }
    }
    return sum;
}

static uint32_t sampled_cpus(const struct perf_sampler *sampler)
{
    uint32_t cnt = 0;
    for (uint32_t cpu = 0; cpu < sampler->cpu_cnt; cpu++) {
        const struct perf_stream *stream = stream_of(sampler, SYSTEM_EVENT_CPU_CLOCK, cpu);
        cnt += perf_stream_is_open(stream) && stream->closed_ns == 0 ? 1 : 0;
    }
    return cnt;
}

struct system_ticks perf_sampler_ticks(const struct perf_sampler *sampler)
{
    const struct counts *counts = &sampler->counts[SYSTEM_EVENT_CPU_CLOCK];
    uint64_t period_ns = sampler->options.period_ns;
    struct system_ticks ticks = {
        .excluded = counts->excluded,
        .samples = counts->samples,
        .ring_full = counts->lost,
        .missed = period_ns == 0 ? 0 : counts->throttled_ns / period_ns,
        .cpu_cnt = sampled_cpus(sampler),
    };
    uint64_t seen = ticks.excluded + ticks.samples + ticks.ring_full;
    if (period_ns != 0 && !sampler->is_by_task) {
        uint64_t expected = due(sampler);
        ticks.idle = expected > seen + ticks.missed ? expected - seen - ticks.missed : 0;
    }
    ticks.ticks = seen + ticks.idle;
    return ticks;
}

uint64_t perf_sampler_start_ns(const struct perf_sampler *sampler)
{
    return sampler->start_ns;
}

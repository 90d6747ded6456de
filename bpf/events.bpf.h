/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events besides the CPU's clock: every Nth page fault, context switch or hardware
 * event; and time off the CPU, whose stack is taken when a thread leaves its CPU and
 * kept until it is back. Included by sampler.bpf.c, behind what it uses there.
 */
#ifndef FLAME_PROF_BPF_EVENTS_H
#define FLAME_PROF_BPF_EVENTS_H

/* Set between open and load. */
const volatile __u64 off_cpu_min_ns = 0;   /* shorter times off the CPU are skipped */
const volatile __u64 run_queue_min_ns = 0; /* ... in a run queue */
const volatile __u32 wants_off_cpu = 0;
const volatile __u32 wants_run_queue = 0;
volatile __u32 max_switches_per_s; /* stacks taken, of one CPU; also changed later */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* user space sets it to possible CPUs x SAMPLER_EVENT_CNT */
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct sampler_event_counters);
} event_counters SEC(".maps");

/* Threads that are off their CPU, by id. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1); /* user space: SAMPLER_MAX_SLEEPERS when it is used */
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct sampler_sleeper);
} sleepers SEC(".maps");

struct switch_work {
    __u64 second_begin_ns;
    __u64 taken; /* in this second */
    struct sampler_sleeper sleeper;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct switch_work);
} switch_works SEC(".maps");

static __always_inline struct sampler_event_counters *event_counters_of(__u32 event)
{
    __u32 index = bpf_get_smp_processor_id() * SAMPLER_EVENT_CNT + event;
    return bpf_map_lookup_elem(&event_counters, &index);
}

static __always_inline void send_event(struct sampler_event_counters *counted,
                                       struct sampler_record *record)
{
    if (send(record) == 0) {
        counted->samples++;
    } else {
        counted->ring_full++;
    }
}

/* --- every Nth of something --------------------------------------------------------- */

/* The cookie is the event and, above it, how many of them one sample stands for. */
SEC("?perf_event")
int on_counted_event(struct bpf_perf_event_data *ctx)
{
    __u64 cookie = bpf_get_attach_cookie(ctx);
    __u64 pid_tid = bpf_get_current_pid_tgid();
    struct sampler_event_counters *counted = event_counters_of(cookie & 0xff);
    struct work *work = this_work();
    if (counted == NULL || work == NULL) {
        return 0;
    }
    counted->seen++;
    if (pid_tid == 0 || filter_excludes(pid_tid)) {
        counted->excluded++;
        return 0;
    }
    if (work->in_scheduler) {
        counted->limited++;
        return 0;
    }
    take_sample(work, ctx, bpf_ktime_get_ns(), pid_tid);
    work->record.event = cookie & 0xff;
    work->record.weight = cookie >> 8;
    send_event(counted, &work->record);
    return 0;
}

/* --- off the CPU ---------------------------------------------------------------------- */

static __always_inline int is_over_limit(struct switch_work *work, __u64 now_ns)
{
    if (now_ns - work->second_begin_ns >= 1000000000ULL) {
        work->second_begin_ns = now_ns;
        work->taken = 0;
    }
    return ++work->taken > max_switches_per_s;
}

static __always_inline void take_sleeper(struct sampler_sleeper *sleeper, struct work *work,
                                         __u64 now_ns, __u32 state)
{
    const struct sampler_record *record = &work->record;
    __u32 word_cnt = record->kernel_cnt + record->user_cnt;
    sleeper->off_ns = now_ns;
    sleeper->wake_ns = 0;
    sleeper->waker_tid = 0;
    sleeper->state = state;
    __builtin_memcpy(sleeper->header, record, SAMPLER_RECORD_HEADER_BYTES);
    if (word_cnt <= SAMPLER_MAX_FRAMES) {
        bpf_probe_read_kernel(sleeper->frames, 8 * word_cnt, record->frames);
    }
}

/* The current task leaves its CPU; it is back, or not, in on_switch_in(). */
static __always_inline void switch_out(void *ctx, struct task_struct *task, __u64 now_ns)
{
    __u64 pid_tid = bpf_get_current_pid_tgid();
    __u32 tid = (__u32)pid_tid;
    __u32 zero = 0;
    __u32 state = task->__state;
    struct sampler_event_counters *counted = event_counters_of(SAMPLER_EVENT_OFF_CPU);
    struct switch_work *mine = bpf_map_lookup_elem(&switch_works, &zero);
    struct work *work = this_work();
    if (counted == NULL || mine == NULL || work == NULL || tid == 0 ||
        (task->flags & KERNEL_PF_EXITING) != 0) {
        return;
    }
    counted->seen++;
    if (filter_excludes(pid_tid)) {
        counted->excluded++;
        return;
    }
    if (is_over_limit(mine, now_ns)) {
        counted->limited++;
        return;
    }
    work->in_scheduler = 1;
    begin_record(&work->record, task, now_ns, pid_tid);
    take_kernel_stack(&work->record, ctx, 2); /* ourselves, and who calls BPF programs */
    take_blocked_user_stack(work, task);
    take_sleeper(&mine->sleeper, work, now_ns, state);
    work->in_scheduler = 0;
    if (bpf_map_update_elem(&sleepers, &tid, &mine->sleeper, BPF_ANY) != 0) {
        counted->no_room++;
    }
}

static __always_inline void send_sleeper(struct sampler_sleeper *sleeper, __u32 event, __u64 weight,
                                         __u64 min_ns)
{
    struct sampler_event_counters *counted = event_counters_of(event);
    struct sampler_record *record = (struct sampler_record *)sleeper->header;
    if (counted == NULL) {
        return;
    }
    if (weight < min_ns || weight == 0) {
        counted->skipped++;
        return;
    }
    record->event = event;
    record->weight = weight;
    __u32 word_cnt = record->kernel_cnt + record->user_cnt;
    if (word_cnt <= SAMPLER_MAX_FRAMES &&
        bpf_ringbuf_output(&samples, record, SAMPLER_RECORD_HEADER_BYTES + 8 * word_cnt,
                           known_process_flag(record)) == 0) {
        counted->samples++;
    } else {
        counted->ring_full++;
    }
}

static __always_inline void switch_in(const struct task_struct *task, __u64 now_ns)
{
    __u32 tid = task->pid;
    struct sampler_sleeper *sleeper = tid == 0 ? NULL : bpf_map_lookup_elem(&sleepers, &tid);
    if (sleeper == NULL) {
        return;
    }
    struct sampler_record *record = (struct sampler_record *)sleeper->header;
    __u64 ready_ns = sleeper->state == 0 ? sleeper->off_ns : sleeper->wake_ns;
    record->time_ns = now_ns;
    record->cpu = bpf_get_smp_processor_id();
    record->run_queue_ns = ready_ns == 0 ? 0 : now_ns - ready_ns;
    record->state = sleeper->state;
    record->waker_tid = sleeper->waker_tid;
    __builtin_memcpy(record->waker_comm, sleeper->waker_comm, SAMPLER_COMM_BYTES);
    if (wants_off_cpu) {
        send_sleeper(sleeper, SAMPLER_EVENT_OFF_CPU, now_ns - sleeper->off_ns, off_cpu_min_ns);
    }
    if (wants_run_queue) {
        send_sleeper(sleeper, SAMPLER_EVENT_RUN_QUEUE, record->run_queue_ns, run_queue_min_ns);
    }
    bpf_map_delete_elem(&sleepers, &tid);
}

SEC("?tp_btf/sched_switch")
int on_switch(__u64 *ctx)
{
    struct task_struct *from = (struct task_struct *)ctx[1];
    const struct task_struct *to = (const struct task_struct *)ctx[2];
    __u64 now_ns = bpf_ktime_get_ns();
    switch_in(to, now_ns);
    switch_out(ctx, from, now_ns);
    return 0;
}

/* On the waker's CPU; the first who wakes it is the waker. */
SEC("?tp_btf/sched_waking")
int on_waking(__u64 *ctx)
{
    const struct task_struct *task = (const struct task_struct *)ctx[0];
    __u32 tid = task->pid;
    struct sampler_sleeper *sleeper = bpf_map_lookup_elem(&sleepers, &tid);
    if (sleeper != NULL && sleeper->wake_ns == 0) {
        sleeper->wake_ns = bpf_ktime_get_ns();
        sleeper->waker_tid = (__u32)bpf_get_current_pid_tgid();
        bpf_get_current_comm(sleeper->waker_comm, sizeof(sleeper->waker_comm));
    }
    return 0;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel side of the system sampler: on every tick of a CPU's clock, who
// runs there, its kernel and user stack and its free counters, into one ring
// buffer. Every tick is counted in exactly one place (struct sampler_counters).
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "filter.bpf.h"
#include "kernel_types.h"
#include "sampler.h"
#include "user_walk.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Set between open and load.
const volatile __u64 period_ns = 10000000;

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 << 20); // user space sets its size
} samples SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); // user space sets it to the possible CPUs
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct sampler_counters);
} counters SEC(".maps");

struct known_process {
    __u64 address_space;
    __u64 sample_cnt;
};

// Processes that user space has been woken for.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, SAMPLER_MAX_KNOWN_PROCESSES);
    __type(key, __u32);
    __type(value, struct known_process);
} known SEC(".maps");

// Too large for the BPF stack; and with the walk's state in a map instead of on
// the stack the verifier looks at the loop once and not once per iteration.
struct work {
    struct user_walk walk;
    struct sampler_record record;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct work);
} works SEC(".maps");

static __always_inline struct work *this_work(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&works, &zero);
}

// Where the user frame number `depth` goes, SAMPLER_MAX_FRAMES when nowhere.
static __always_inline __u32 user_frame_index(const struct sampler_record *record, __u32 depth)
{
    __u32 index = depth;
    if (depth >= SAMPLER_USER_HEAD_FRAMES) {
        index = SAMPLER_USER_HEAD_FRAMES +
                ((depth - SAMPLER_USER_HEAD_FRAMES) & (SAMPLER_USER_TAIL_FRAMES - 1));
    }
    return record->kernel_cnt + index;
}

// A global function: verified once, however often the loop below calls it.
__attribute__((noinline)) int user_stack_step(void)
{
    struct work *work = this_work();
    if (work == NULL) {
        return USER_WALK_OVER;
    }
    __u32 index = user_frame_index(&work->record, work->walk.depth);
    if (index >= SAMPLER_MAX_FRAMES) {
        return USER_WALK_OVER;
    }
    work->record.frames[index] = work->walk.pc;
    return user_walk_step(&work->walk);
}

static __always_inline void count_user_frames(struct sampler_record *record, __u32 depth)
{
    if (depth <= SAMPLER_MAX_USER_FRAMES) {
        record->user_cnt = depth;
        return;
    }
    record->user_cnt = SAMPLER_MAX_USER_FRAMES;
    record->user_omitted = depth - SAMPLER_MAX_USER_FRAMES;
    record->tail_first = (depth - SAMPLER_USER_HEAD_FRAMES) & (SAMPLER_USER_TAIL_FRAMES - 1);
}

#ifdef __TARGET_ARCH_x86
#define IS_32BIT(regs) ((regs)->cs == 0x23) // __USER32_CS
#else
#define IS_32BIT(regs) 0
#endif

static __always_inline void walk_user_stack(struct work *work, __u64 pc, __u64 sp, __u64 fp,
                                            int is_32bit)
{
    if (is_32bit || !user_walk_is_code(pc)) { // an io_uring worker has no user registers
        work->record.unwind_end = is_32bit ? SAMPLER_UNWIND_32BIT : SAMPLER_UNWIND_NO_USER;
        return;
    }
    work->walk = (struct user_walk){
        .pc = pc,
        .sp = sp,
        .fp = fp,
        .end = SAMPLER_UNWIND_TOO_DEEP,
    };
    for (int i = 0; i < SAMPLER_MAX_DEPTH; i++) {
        if (user_stack_step() != USER_WALK_GO_ON) {
            break;
        }
    }
    count_user_frames(&work->record, work->walk.depth);
    work->record.unwind_end = work->walk.end;
}

static __always_inline void take_user_stack(struct work *work, struct bpf_perf_event_data *ctx,
                                            struct task_struct *task, int in_kernel)
{
    if ((task->flags & KERNEL_PF_KTHREAD) != 0) {
        work->record.unwind_end = SAMPLER_UNWIND_NO_USER;
        return;
    }
    if (in_kernel) {
        const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
        walk_user_stack(work, PT_REGS_IP(regs), PT_REGS_SP(regs), PT_REGS_FP(regs), IS_32BIT(regs));
    } else {
        walk_user_stack(work, PT_REGS_IP(&ctx->regs), PT_REGS_SP(&ctx->regs),
                        PT_REGS_FP(&ctx->regs), IS_32BIT(&ctx->regs));
    }
}

static __always_inline void take_identity(struct sampler_record *record, struct task_struct *task)
{
    record->address_space = (__u64)task->mm;
    record->thread_start_ns = task->start_time;
    record->cpu_ns = task->se.sum_exec_runtime;
    record->voluntary_switches = task->nvcsw;
    record->involuntary_switches = task->nivcsw;
    record->minor_faults = task->min_flt;
    record->major_faults = task->maj_flt;
    bpf_get_current_comm(record->comm, sizeof(record->comm));
}

// User space reads a process's mappings while it is there to be asked: at once
// when it hears of it, and again while it is young and still loads libraries,
// with its samples number 1, 2, 4, 8 ... 64.
static __always_inline __u64 wake_up_flag(const struct sampler_record *record)
{
    __u32 pid = record->pid;
    struct known_process now = {.address_space = record->address_space, .sample_cnt = 1};
    struct known_process *seen = bpf_map_lookup_elem(&known, &pid);
    if (now.address_space == 0) {
        return BPF_RB_NO_WAKEUP;
    }
    if (seen == NULL || seen->address_space != now.address_space) {
        bpf_map_update_elem(&known, &pid, &now, BPF_ANY);
        return BPF_RB_FORCE_WAKEUP;
    }
    __u64 cnt = ++seen->sample_cnt;
    return cnt <= 64 && (cnt & (cnt - 1)) == 0 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline long send(struct sampler_record *record)
{
    __u32 frame_cnt = record->kernel_cnt + record->user_cnt;
    if (frame_cnt > SAMPLER_MAX_FRAMES) {
        return -1;
    }
    return bpf_ringbuf_output(&samples, record, SAMPLER_RECORD_HEADER_BYTES + 8 * frame_cnt,
                              wake_up_flag(record));
}

// Missed ticks are found by the distance of two that came: the kernel keeps the
// timer on its grid when it skips some (throttling, a stolen CPU).
static __always_inline void count_tick(struct sampler_counters *cpu, __u64 now_ns)
{
    __u64 distance_ns = now_ns - cpu->last_tick_ns;
    cpu->ticks++;
    if (now_ns > cpu->last_tick_ns && distance_ns > period_ns + period_ns / 2) {
        cpu->missed += (distance_ns + period_ns / 2) / period_ns - 1;
    }
    cpu->last_tick_ns = now_ns;
}

static __always_inline void take_sample(struct work *work, struct bpf_perf_event_data *ctx,
                                        __u64 now_ns, __u64 pid_tid)
{
    struct sampler_record *record = &work->record;
    struct task_struct *task = bpf_get_current_task_btf();
    int in_kernel = (__s64)PT_REGS_IP(&ctx->regs) < 0;
    record->time_ns = now_ns;
    record->pid = pid_tid >> 32;
    record->tid = (__u32)pid_tid;
    record->cpu = bpf_get_smp_processor_id();
    record->kernel_cnt = 0;
    record->user_cnt = 0;
    record->user_omitted = 0;
    record->tail_first = 0;
    take_identity(record, task);
    if (in_kernel) {
        long bytes = bpf_get_stack(ctx, record->frames, 8 * SAMPLER_MAX_KERNEL_FRAMES, 0);
        record->kernel_cnt = bytes > 0 ? (__u64)bytes / 8 : 0;
    }
    take_user_stack(work, ctx, task, in_kernel);
}

SEC("perf_event")
int on_cpu_tick(struct bpf_perf_event_data *ctx)
{
    __u64 now_ns = bpf_ktime_get_ns();
    __u64 pid_tid = bpf_get_current_pid_tgid();
    __u32 cpu_number = bpf_get_smp_processor_id();
    struct sampler_counters *cpu = bpf_map_lookup_elem(&counters, &cpu_number);
    struct work *work = this_work();
    if (cpu == NULL || work == NULL) {
        return 0;
    }
    count_tick(cpu, now_ns);
    if (pid_tid == 0) {
        cpu->idle++;
        return 0;
    }
    if (filter_excludes(pid_tid)) {
        cpu->excluded++;
        return 0;
    }
    take_sample(work, ctx, now_ns, pid_tid);
    if (send(&work->record) == 0) {
        cpu->samples++;
    } else {
        cpu->ring_full++;
    }
    return 0;
}

SEC("?tp_btf/sched_process_fork")
int on_process_fork(__u64 *ctx)
{
    const struct task_struct *parent = (const struct task_struct *)ctx[0];
    const struct task_struct *child = (const struct task_struct *)ctx[1];
    __u32 parent_pid = parent->tgid;
    __u32 child_pid = child->tgid;
    __u32 one = 1;
    if (parent_pid != child_pid && bpf_map_lookup_elem(&traced, &parent_pid) != NULL) {
        bpf_map_update_elem(&traced, &child_pid, &one, BPF_ANY);
    }
    return 0;
}

SEC("?tp_btf/sched_process_exit")
int on_process_exit(__u64 *ctx)
{
    const struct task_struct *task = (const struct task_struct *)ctx[0];
    __u32 pid = task->tgid;
    if (task->signal->live.counter == 0) {
        bpf_map_delete_elem(&traced, &pid);
    }
    return 0;
}

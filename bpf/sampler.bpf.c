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
#include "known_process.bpf.h"
#include "mapping_memo.bpf.h"
#include "process_memo.bpf.h"
#include "rule_memo.bpf.h"
#include "sampler.h"
#include "unwind_table.h"
#include "user_walk.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Set between open and load.
const volatile __u32 snapshots = 1; // 1: of processes without tables, while there is room

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

// --- unwind tables, written by user space -----------------------------------------

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, UNWIND_MAX_PROCESSES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct unwind_process);
} unwind_processes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, UNWIND_MAX_MAPPINGS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct unwind_mapping);
} unwind_mappings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, UNWIND_MAX_PAGES);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct unwind_page);
} unwind_pages SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, UNWIND_MAX_RULES);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct unwind_rule);
} unwind_rules SEC(".maps");

struct unwind_shard {
    struct unwind_row rows[UNWIND_SHARD_ROWS];
};

// One large element each, so that a search in it is plain loads.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, UNWIND_MAX_SHARDS);
    __type(key, __u32);
    __array(
        values, struct {
            __uint(type, BPF_MAP_TYPE_ARRAY);
            __uint(map_flags, BPF_F_MMAPABLE);
            __uint(max_entries, 1);
            __type(key, __u32);
            __uint(value_size, sizeof(struct unwind_shard));
        });
} unwind_shards SEC(".maps");

enum { COPY_PAGE_BYTES = 4096, NR_CLONE3 = 435 };

// Too large for the BPF stack; and with the walk's state in a map instead of on
// the stack the verifier looks at the loop once and not once per iteration.
struct work {
    struct user_walk walk;                   // first: user_walk_add() comes from it to the record
    __u64 begun[SAMPLER_SNAPSHOT_REGISTERS]; // the walk's registers as a snapshot has them
    __u64 in_scheduler; // a hardware event's interrupt must not touch it meanwhile
    struct sampler_record record;
    __u64 never_used[COPY_PAGE_BYTES / 8]; // as far as the verifier sees a copy go
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

// --- the walk's two hooks ---------------------------------------------------------

static __always_inline int search_mappings(struct user_walk *walk, __u64 place)
{
    __u32 low = walk->process.mapping_first;
    __u32 high = low + walk->process.mapping_cnt;
    for (int i = 0; i < 13; i++) { // 2^12 is UNWIND_MAX_PROCESS_MAPPINGS
        if (low >= high) {
            break;
        }
        __u32 middle = (low + high) / 2;
        struct unwind_mapping *mapping = bpf_map_lookup_elem(&unwind_mappings, &middle);
        if (mapping == NULL) {
            break;
        }
        if (place < mapping->start) {
            high = middle;
        } else if (place >= mapping->end) {
            low = middle + 1;
        } else {
            walk->mapping = *mapping;
            return 1;
        }
    }
    return 0;
}

static __always_inline int find_mapping(struct user_walk *walk, __u64 place)
{
    __u32 version = walk->process.version;
    struct mapping_memo *memo = mapping_memo_of(place, version);
    if (memo != NULL && memo->version == version && place >= memo->mapping.start &&
        place < memo->mapping.end) {
        walk->mapping = memo->mapping;
        return 1;
    }
    if (!search_mappings(walk, place)) {
        return 0;
    }
    if (memo != NULL) {
        memo->mapping = walk->mapping;
        memo->version = version;
    }
    return 1;
}

static __always_inline const struct unwind_shard *find_shard(__u32 number)
{
    __u32 zero = 0;
    void *shard = bpf_map_lookup_elem(&unwind_shards, &number);
    return shard == NULL ? NULL : bpf_map_lookup_elem(shard, &zero);
}

// By the index of a page whose rows begin at `first`: the row in force where `block` begins.
static __always_inline __u32 row_in_force(const struct unwind_shard *shard, __u32 first,
                                          __u32 block)
{
    __u32 at = first - UNWIND_INDEX_ROWS + block / 2;
    const struct unwind_row *pair = &shard->rows[at & (UNWIND_SHARD_ROWS - 1)];
    return block % 2 == 0 ? pair->low : pair->rule;
}

static __always_inline __u32 find_rule(const struct unwind_page *page, __u32 low)
{
    const struct unwind_shard *shard = find_shard(page->first / UNWIND_SHARD_ROWS);
    if (shard == NULL) {
        return UNWIND_NO_RULE;
    }
    __u32 first = page->first % UNWIND_SHARD_ROWS;
    __u32 at = first;
    __u32 end = at + page->row_cnt;
    if (page->row_cnt >= UNWIND_INDEXED_ROWS) {
        __u32 block = low / UNWIND_BLOCK_BYTES;
        at = first + row_in_force(shard, first, block);
        end = block + 1 < UNWIND_PAGE_BLOCKS ? first + row_in_force(shard, first, block + 1) + 1
                                             : end;
    }
    for (int i = 0; i < 11; i++) { // 2^11 is above UNWIND_BLOCK_BYTES and UNWIND_INDEXED_ROWS
        if (end - at <= 1) {
            break;
        }
        __u32 middle = (at + end) / 2;
        if (shard->rows[middle & (UNWIND_SHARD_ROWS - 1)].low <= low) {
            at = middle;
        } else {
            end = middle;
        }
    }
    return shard->rows[at & (UNWIND_SHARD_ROWS - 1)].rule;
}

static __always_inline int search(struct user_walk *walk, __u64 place)
{
    if ((place < walk->mapping.start || place >= walk->mapping.end) && !find_mapping(walk, place)) {
        return walk->process.mapping_cnt == 0 ? USER_WALK_NO_TABLES : USER_WALK_NO_MAPPING;
    }
    __u64 offset = place - walk->mapping.start + walk->mapping.offset;
    __u32 number = offset / UNWIND_PAGE_BYTES;
    if (walk->mapping.kind == UNWIND_MAPPING_ERLANG) {
        return USER_WALK_ERLANG;
    }
    if (walk->mapping.kind != UNWIND_MAPPING_TABLE || number >= walk->mapping.page_cnt) {
        return walk->mapping.kind == UNWIND_MAPPING_UNREAD ? USER_WALK_NO_MAPPING
                                                           : USER_WALK_NO_RULE;
    }
    number += walk->mapping.page_first;
    const struct unwind_page *page = bpf_map_lookup_elem(&unwind_pages, &number);
    if (page == NULL || page->row_cnt == 0) {
        return USER_WALK_NO_RULE;
    }
    __u32 rule_id = find_rule(page, offset % UNWIND_PAGE_BYTES);
    const struct unwind_rule *rule = bpf_map_lookup_elem(&unwind_rules, &rule_id);
    if (rule == NULL || rule->cfa == UNWIND_CFA_NONE) {
        return USER_WALK_NO_RULE;
    }
    walk->rule = *rule;
    return USER_WALK_RULE;
}

// A global function: verified once, not wherever a walk looks something up.
__attribute__((noinline)) int search_tables(__u64 place)
{
    struct work *work = this_work();
    return work == NULL ? USER_WALK_NO_RULE : search(&work->walk, place);
}

static __always_inline int user_walk_lookup(struct user_walk *walk, __u64 place)
{
    __u64 tag = rule_memo_tag(place, walk->process.version);
    struct rule_memo *memo = rule_memo_of(tag);
    if (memo == NULL || walk->process.version == 0) {
        return search_tables(place);
    }
    if (memo->tag == tag) {
        walk->rule = memo->rule;
        return memo->rule.cfa == UNWIND_CFA_NONE ? USER_WALK_NO_RULE : USER_WALK_RULE;
    }
    int code = search_tables(place);
    if (code == USER_WALK_RULE || code == USER_WALK_NO_RULE) {
        memo->tag = tag;
        memo->rule = walk->rule;
        memo->rule.cfa = code == USER_WALK_RULE ? walk->rule.cfa : UNWIND_CFA_NONE;
    }
    return code;
}

// Where the user frame number `depth` goes.
static __always_inline __u32 user_frame_index(const struct sampler_record *record, __u32 depth)
{
    __u32 index = depth;
    if (depth >= SAMPLER_USER_HEAD_FRAMES) {
        index = SAMPLER_USER_HEAD_FRAMES +
                ((depth - SAMPLER_USER_HEAD_FRAMES) & (SAMPLER_USER_TAIL_FRAMES - 1));
    }
    return record->kernel_cnt + index;
}

static __always_inline int user_walk_add(struct user_walk *walk, __u64 address)
{
    struct work *work = (struct work *)walk;
    __u32 index = user_frame_index(&work->record, walk->depth);
    if (index >= SAMPLER_MAX_FRAMES) {
        return USER_WALK_OVER;
    }
    work->record.frames[index] = address;
    walk->depth++;
    return 0;
}

// A global function: verified once, however often the loop below calls it.
__attribute__((noinline)) int user_stack_step(void)
{
    struct work *work = this_work();
    return work == NULL ? USER_WALK_OVER : user_walk_step(&work->walk);
}

// --- one user stack -----------------------------------------------------------------

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
// A thread, or a child of posix_spawn(), on its way out of the clone3 that made it. Inside
// a function that was called the stack would be 8 bytes off.
#define IS_NEW_STACK(regs)                                                                         \
    ((regs)->orig_rax == NR_CLONE3 && (regs)->rax == 0 && ((regs)->rsp & 15) == 0)
#define TAKE_REGISTERS(walk, regs)                                                                 \
    do {                                                                                           \
        (walk)->r13 = (regs)->r13;                                                                 \
        (walk)->r10 = (regs)->r10;                                                                 \
        (walk)->r11 = (regs)->r11;                                                                 \
        (walk)->rax = (regs)->rax;                                                                 \
        (walk)->rbx = (regs)->rbx;                                                                 \
    } while (0)
#else
#define IS_32BIT(regs) 0
#define IS_NEW_STACK(regs) 0
#define TAKE_REGISTERS(walk, regs) ((void)0)
#endif

static __always_inline void begin_walk(struct user_walk *walk, __u64 pc, __u64 sp, __u64 fp)
{
    walk->pc = pc;
    walk->sp = sp;
    walk->fp = fp;
    walk->depth = 0;
    walk->end = SAMPLER_UNWIND_TOO_DEEP;
    walk->is_exact = 1;
    walk->in_erlang = 0;
    walk->mapping.start = 0;
    walk->mapping.end = 0;
    walk->mapping.kind = UNWIND_MAPPING_NONE;
    walk->rbx_at = 0;
    walk->erlang_pid = 0;
    walk->erlang_skipped = 0;
    walk->window.bytes = 0;
}

// The stack from sp on, as far as it is there, page by page. The first page may not be: a
// function has just made room for something large.
static __always_inline __u32 copy_stack(char *to, __u64 sp, __u64 *absent)
{
    __u32 in_page = sp & (COPY_PAGE_BYTES - 1);
    __u32 first = COPY_PAGE_BYTES - in_page;
    int is_absent = bpf_probe_read_user(to, first, (const void *)sp) != 0;
    *absent = is_absent ? first : 0;
    to += first;
    if (bpf_probe_read_user(to, COPY_PAGE_BYTES, (const void *)(sp + first)) != 0) {
        return is_absent ? 0 : first;
    }
    to += COPY_PAGE_BYTES;
    if (bpf_probe_read_user(to, in_page, (const void *)(sp + first + COPY_PAGE_BYTES)) != 0) {
        return first + COPY_PAGE_BYTES;
    }
    return SAMPLER_SNAPSHOT_STACK_BYTES;
}

static __always_inline void note_registers(struct work *work)
{
    const struct user_walk *walk = &work->walk;
    work->begun[0] = walk->pc;
    work->begun[1] = walk->sp;
    work->begun[2] = walk->fp;
    work->begun[3] = walk->r13;
    work->begun[4] = walk->r10;
    work->begun[5] = walk->r11;
    work->begun[6] = walk->rax;
    work->begun[7] = walk->rbx;
    work->begun[8] = 0;
}

static __always_inline void take_snapshot(struct work *work)
{
    __u32 at = work->record.kernel_cnt;
    if (at > SAMPLER_MAX_KERNEL_FRAMES) {
        return;
    }
    __u64 *to = &work->record.frames[at];
    for (int i = 0; i < SAMPLER_SNAPSHOT_REGISTERS; i++) {
        to[i] = work->begun[i];
    }
    __u32 bytes = copy_stack((char *)(to + SAMPLER_SNAPSHOT_REGISTERS), work->begun[1],
                             &to[SAMPLER_SNAPSHOT_REGISTERS - 1]);
    work->record.snapshot_words = SAMPLER_SNAPSHOT_REGISTERS + bytes / 8;
    work->record.unwind_end = SAMPLER_UNWIND_SNAPSHOT;
}

// A copy is 20 times as large as a walked stack: while user space is behind it must not
// push the others out. In a tiny ring there never is room.
static __always_inline int has_room_for_snapshot(void)
{
    __u64 size = bpf_ringbuf_query(&samples, BPF_RB_RING_SIZE);
    __u64 used = bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA);
    return snapshots && used < size / 4 * 3 &&
           size - used > SAMPLER_RECORD_HEADER_BYTES + 8 * SAMPLER_MAX_WORDS;
}

// What was forked and has executed nothing since has its parent's code where that has it: both
// have the file open that one exec opened. NULL where the parent's is not known either.
static __always_inline const struct unwind_process *parents_tables(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct task_struct *parent = BPF_CORE_READ(task, group_leader, real_parent);
    struct mm_struct *theirs = BPF_CORE_READ(parent, mm);
    struct file *program = BPF_CORE_READ(task, mm, exe_file);
    __u32 pid = BPF_CORE_READ(parent, tgid);
    if (theirs == NULL || program == NULL || BPF_CORE_READ(theirs, exe_file) != program) {
        return NULL;
    }
    const struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &pid);
    return process != NULL && process->address_space == (__u64)theirs ? process : NULL;
}

static __always_inline int has_tables(struct work *work)
{
    __u32 pid = work->record.pid;
    // Before the lookup: what changes behind it is newer.
    __u32 generation = table_generations[pid % UNWIND_GENERATIONS];
    struct process_memo *memo = process_memo_of(pid);
    if (process_memo_is(memo, &work->record) && memo->generation == generation) {
        work->walk.process = memo->process;
        return 1;
    }
    const struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &pid);
    int is_own = process != NULL && process->address_space == work->record.address_space;
    if (!is_own) {
        process = parents_tables();
    }
    if (process == NULL) {
        work->walk.process.mapping_cnt = 0;
        work->walk.process.version = 0;
        return 0;
    }
    work->walk.process = *process;
    if (is_own) {
        process_memo_set(memo, &work->record, process, generation);
    }
    return 1;
}

static __always_inline void walk_user_stack(struct work *work, int is_32bit, int may_copy)
{
    if (is_32bit || !user_walk_is_code(work->walk.pc)) { // an io_uring worker has no user registers
        work->record.unwind_end = is_32bit ? SAMPLER_UNWIND_32BIT : SAMPLER_UNWIND_NO_USER;
        return;
    }
    note_registers(work);
    if (!has_tables(work) && may_copy && has_room_for_snapshot()) {
        take_snapshot(work);
        return;
    }
    for (int i = 0; i < SAMPLER_MAX_DEPTH; i++) {
        if (user_stack_step() != USER_WALK_GO_ON) {
            break;
        }
    }
    int is_unmapped = work->walk.end == SAMPLER_UNWIND_NO_MAPPING;
    if (is_unmapped && work->walk.mapping.kind == UNWIND_MAPPING_UNREAD) {
        work->record.unread = work->walk.is_exact ? work->walk.pc : work->walk.pc - 1;
    }
    if (is_unmapped && may_copy &&
        (work->record.unread != 0 || known_process_is_young(&work->record)) &&
        has_room_for_snapshot()) {
        take_snapshot(work); // or a library was loaded since its mappings were read
        return;
    }
    count_user_frames(&work->record, work->walk.depth);
    work->record.unwind_end = work->walk.end;
    work->record.erlang_pid = work->walk.erlang_pid;
}

static __always_inline void take_one_frame(struct work *work)
{
    (void)user_walk_add(&work->walk, work->walk.pc);
    count_user_frames(&work->record, work->walk.depth);
    work->record.unwind_end = SAMPLER_UNWIND_COMPLETE;
}

// At its end a process gives its memory away before it is gone. While it executes another
// program it has the new one's memory already and still the old one's registers: where the
// memory is known they belong together.
static __always_inline int has_user_stack(struct work *work, struct task_struct *task)
{
    if ((task->flags & KERNEL_PF_KTHREAD) != 0 || task->mm == NULL) {
        return 0;
    }
    return BPF_CORE_READ_BITFIELD(task, in_execve) == 0 || has_tables(work);
}

static __always_inline void take_user_stack(struct work *work, struct bpf_perf_event_data *ctx,
                                            struct task_struct *task, int in_kernel)
{
    if (!has_user_stack(work, task)) {
        work->record.unwind_end = SAMPLER_UNWIND_NO_USER;
        return;
    }
    int is_32bit = 0;
    if (in_kernel) {
        const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
        begin_walk(&work->walk, PT_REGS_IP(regs), PT_REGS_SP(regs), PT_REGS_FP(regs));
        TAKE_REGISTERS(&work->walk, regs);
        if (IS_NEW_STACK(regs)) {
            take_one_frame(work);
            return;
        }
        is_32bit = IS_32BIT(regs);
        barrier_var(is_32bit); // both loads stay: a context is read at constant places only
    } else {
        begin_walk(&work->walk, PT_REGS_IP(&ctx->regs), PT_REGS_SP(&ctx->regs),
                   PT_REGS_FP(&ctx->regs));
        TAKE_REGISTERS(&work->walk, &ctx->regs);
        is_32bit = IS_32BIT(&ctx->regs);
        barrier_var(is_32bit);
    }
    walk_user_stack(work, is_32bit, 1); // in one place: the verifier takes half the time
}

// In the scheduler, which is no place for large copies.
static __always_inline void take_blocked_user_stack(struct work *work, struct task_struct *task)
{
    if ((task->flags & KERNEL_PF_KTHREAD) != 0) {
        work->record.unwind_end = SAMPLER_UNWIND_NO_USER;
        return;
    }
    const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);
    begin_walk(&work->walk, PT_REGS_IP(regs), PT_REGS_SP(regs), PT_REGS_FP(regs));
    TAKE_REGISTERS(&work->walk, regs);
    walk_user_stack(work, IS_32BIT(regs), 0);
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

static __always_inline long send(struct sampler_record *record)
{
    __u32 word_cnt = record->kernel_cnt + record->user_cnt + record->snapshot_words;
    if (word_cnt > SAMPLER_MAX_WORDS) {
        return -1;
    }
    __u64 flag = known_process_flag(record);
    return bpf_ringbuf_output(&samples, record, SAMPLER_RECORD_HEADER_BYTES + 8 * word_cnt,
                              record->unread != 0 ? BPF_RB_FORCE_WAKEUP : flag);
}

// Missed ticks are found by the distance of two that came: the kernel keeps the
// timer on its grid when it skips some (throttling, a stolen CPU).
static __always_inline void count_tick(struct sampler_counters *cpu, __u64 now_ns)
{
    __u64 distance_ns = now_ns - cpu->last_tick_ns;
    __u64 period_ns = cpu->period_ns;
    cpu->ticks++;
    if (now_ns > cpu->last_tick_ns && distance_ns > period_ns + period_ns / 2 && period_ns > 0) {
        cpu->missed += (distance_ns + period_ns / 2) / period_ns - 1;
    }
    cpu->last_tick_ns = now_ns;
}

static __always_inline void begin_record(struct sampler_record *record, struct task_struct *task,
                                         __u64 now_ns, __u64 pid_tid)
{
    record->time_ns = now_ns;
    record->pid = pid_tid >> 32;
    record->tid = (__u32)pid_tid;
    record->cpu = bpf_get_smp_processor_id();
    record->kernel_cnt = 0;
    record->user_cnt = 0;
    record->user_omitted = 0;
    record->tail_first = 0;
    record->snapshot_words = 0;
    record->erlang_pid = 0;
    record->weight = 0;
    record->event = SAMPLER_EVENT_CPU_CLOCK;
    record->run_queue_ns = 0;
    record->state = 0;
    record->waker_tid = 0;
    record->unread = 0;
    take_identity(record, task);
}

static __always_inline void take_kernel_stack(struct sampler_record *record, void *ctx,
                                              __u64 skipped)
{
    long bytes = bpf_get_stack(ctx, record->frames, 8 * SAMPLER_MAX_KERNEL_FRAMES, skipped);
    record->kernel_cnt = bytes > 0 ? (__u64)bytes / 8 : 0;
}

static __always_inline void take_sample(struct work *work, struct bpf_perf_event_data *ctx,
                                        __u64 now_ns, __u64 pid_tid)
{
    struct task_struct *task = bpf_get_current_task_btf();
    int in_kernel = (__s64)PT_REGS_IP(&ctx->regs) < 0;
    begin_record(&work->record, task, now_ns, pid_tid);
    if (in_kernel) {
        take_kernel_stack(&work->record, ctx, 0);
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
    work->record.weight = cpu->period_ns;
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

#include "events.bpf.h"
#include "exits.bpf.h"
// Behind those that take rights of their own: they say better which one is missing.
#include "kernel_name.bpf.h"

// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/cpu_sampler.h"

#include "base/clock.h"
#include "capture/beam/cpu_slot_pool.h"
#include "capture/beam/scheduler_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum {
    MAX_THREADS = 1024,
    MAX_FD = 65536,
    HANDLER_STACK_BYTES = 3072,
    FIRST_SIGNAL_OFFSET = 5, // from SIGRTMIN; debuggers and runtimes like the first ones
    SETTLE_NS = 1000 * CLOCK_NS_PER_MS,
};

// Found by the handler from the signal alone; allocated once, for good.
static struct cpu_slot **slot_of_fd;
static _Atomic uint32_t in_handler;
static int signal_number;

static struct cpu_slot *slot_of(const siginfo_t *info)
{
    if (info->si_code == SI_TIMER) {
        struct cpu_slot *slot = info->si_value.sival_ptr;
        return cpu_slot_pool_has(slot) ? slot : NULL;
    }
    int fd = info->si_code > 0 ? info->si_fd : -1; // POLL_IN and the like
    return fd >= 0 && fd < MAX_FD ? slot_of_fd[fd] : NULL;
}

static void on_signal(int number, siginfo_t *info, void *ucontext)
{
    (void)number;
    int saved_errno = errno;
    atomic_fetch_add_explicit(&in_handler, 1, memory_order_acquire);
    struct cpu_slot *slot = slot_of(info);
    if (slot != NULL) {
        uint64_t overrun =
            info->si_code == SI_TIMER && info->si_overrun > 0 ? (uint64_t)info->si_overrun : 0;
        cpu_slot_take(slot, overrun + 1, ucontext);
    }
    atomic_fetch_sub_explicit(&in_handler, 1, memory_order_release);
    errno = saved_errno;
}

// ---- the signal ------------------------------------------------------------------------

static bool pin_library(void)
{
    Dl_info here;
    return dladdr((void *)(uintptr_t)on_signal, &here) != 0 && here.dli_fname != NULL &&
           dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != NULL;
}

static bool install_on(int number)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct sigaction old;
    action.sa_sigaction = on_signal;
    (void)sigfillset(&action.sa_mask);
    // A fault in a guarded load must get through.
    static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
        (void)sigdelset(&action.sa_mask, FAULTS[i]);
    }
    if (sigaction(number, NULL, &old) != 0 || (old.sa_flags & SA_SIGINFO) != 0 ||
        old.sa_handler != SIG_DFL || sigaction(number, &action, NULL) != 0) {
        return false;
    }
    // OTP 25 replaces sigaction() by its own.
    return sigaction(number, NULL, &old) == 0 && old.sa_sigaction == on_signal &&
           (old.sa_flags & SA_ONSTACK) != 0;
}

static bool still_ours(void)
{
    struct sigaction now;
    return sigaction(signal_number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
           now.sa_sigaction == on_signal && (now.sa_flags & SA_ONSTACK) != 0;
}

static bool install(struct error *err)
{
    if (signal_number != 0) {
        return still_ours() ||
               error_set(err, ERROR_UNSUPPORTED,
                         "CPU sampling: another library took signal %d from us", signal_number);
    }
    slot_of_fd = slot_of_fd != NULL ? slot_of_fd : calloc(MAX_FD, sizeof(struct cpu_slot *));
    if (slot_of_fd == NULL || !pin_library()) {
        return error_set(err, ERROR_NO_MEMORY,
                         "CPU sampling: no memory, or the library cannot "
                         "be kept loaded");
    }
    for (int number = SIGRTMIN + FIRST_SIGNAL_OFFSET; number <= SIGRTMAX; number++) {
        if (install_on(number)) {
            signal_number = number;
            return true;
        }
    }
    return error_set(err, ERROR_UNSUPPORTED, "CPU sampling: no real-time signal is free");
}

// Without an alternate stack the kernel would write its frame onto an Erlang stack.
static bool check_alternate_stack(bool *room_for_faults, struct error *err)
{
    stack_t stack;
    size_t frame_bytes = getauxval(AT_MINSIGSTKSZ);
    frame_bytes = frame_bytes > 0 ? frame_bytes : 2048;
    if (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_DISABLE) != 0 ||
        stack.ss_size < frame_bytes + HANDLER_STACK_BYTES) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "CPU sampling: schedulers have no alternate signal stack of %zu bytes",
                         frame_bytes + HANDLER_STACK_BYTES);
    }
    *room_for_faults = stack.ss_size >= 2 * frame_bytes + HANDLER_STACK_BYTES;
    return true;
}

static bool wait_for_handlers(void)
{
    uint64_t deadline_ns = clock_monotonic_ns() + SETTLE_NS;
    while (atomic_load_explicit(&in_handler, memory_order_acquire) > 0) {
        if (clock_monotonic_ns() > deadline_ns) {
            return false;
        }
        clock_sleep_until_ns(clock_monotonic_ns() + CLOCK_NS_PER_MS);
    }
    return true;
}

// ---- arming --------------------------------------------------------------------------------

// What both methods are told.
struct subject {
    const struct otp_layout *layout;
    const struct scheduler_table *table;
    const _Atomic uint32_t *code_generation;
};

static bool init_slot(struct cpu_sampler *sampler, struct cpu_slot *slot,
                      const struct subject *subject, const struct scheduler_thread *thread)
{
    size_t ring_bytes = sampler->options.ring_bytes;
    slot->layout = subject->layout;
    slot->code_generation = subject->code_generation;
    slot->seen = sampler->seen;
    slot->scheduler = scheduler_table_entry(subject->table, thread->kind, thread->no);
    slot->interval_ns = CLOCK_NS_PER_S / sampler->options.rate_hz;
    slot->tid = thread->tid;
    slot->os_pid = (int32_t)getpid();
    slot->kind = (uint16_t)thread->kind;
    slot->no = (uint16_t)thread->no;
    slot->roles = sampler->options.roles;
    tick_clock_init(&slot->clock);
    return spsc_ring_init(&slot->ring,
                          thread->kind == SCHEDULER_NORMAL ? ring_bytes : ring_bytes / 2);
}

// For so many threads; the handler's are lent.
static bool take_slots(struct cpu_sampler *sampler, uint32_t cnt)
{
    sampler->taken_cnt = cnt;
    sampler->timers = calloc(cnt, sizeof *sampler->timers);
    sampler->slots = sampler->method == CPU_METHOD_FOREIGN ? calloc(cnt, sizeof *sampler->slots)
                                                           : cpu_slot_pool_take(cnt);
    return sampler->timers != NULL && sampler->slots != NULL;
}

// Written to, so that the handler takes no page fault.
static struct seen_processes *none_seen(void)
{
    struct seen_processes *seen = malloc(sizeof *seen);
    for (size_t i = 0; seen != NULL && i < SEEN_PROCESSES_CNT; i++) {
        atomic_store_explicit(&seen->ids[i], 0, memory_order_relaxed);
    }
    return seen;
}

static bool init_slots(struct cpu_sampler *sampler, const struct subject *subject,
                       struct error *err)
{
    struct scheduler_thread *threads = calloc(MAX_THREADS, sizeof *threads);
    uint32_t cnt = threads == NULL ? 0 : scheduler_threads_list(threads, MAX_THREADS);
    sampler->seen = none_seen();
    bool ok = threads != NULL && sampler->seen != NULL && (cnt == 0 || take_slots(sampler, cnt));
    for (uint32_t i = 0; i < cnt && ok; i++) {
        if (threads[i].no <= subject->table->arrays[threads[i].kind].cnt) {
            ok = init_slot(sampler, &sampler->slots[sampler->slot_cnt++], subject, &threads[i]);
        }
    }
    free(threads);
    if (!ok) {
        return error_set(err, ERROR_NO_MEMORY,
                         "CPU sampling: no memory for its rings, or too many earlier sessions "
                         "have not ended");
    }
    return sampler->slot_cnt > 0 ||
           error_set(err, ERROR_UNSUPPORTED,
                     "CPU sampling: no scheduler thread was found by its name");
}

static void set_reading(struct cpu_sampler *sampler, bool may_guard)
{
    for (uint32_t i = 0; i < sampler->slot_cnt; i++) {
        atomic_store_explicit(&sampler->slots[i].may_guard, may_guard, memory_order_relaxed);
    }
}

static bool arm_slot(struct cpu_sampler *sampler, uint32_t i, struct error *err)
{
    struct cpu_slot *slot = &sampler->slots[i];
    struct cpu_timer *timer = &sampler->timers[i];
    atomic_store_explicit(&slot->armed, true, memory_order_release);
    if (!cpu_timer_start(timer, sampler->timer_kind, slot->tid, signal_number, slot,
                         slot->interval_ns, err)) {
        return false;
    }
    if (timer->kind == CPU_TIMER_PERF_EVENT && timer->id < MAX_FD) {
        slot_of_fd[timer->id] = slot;
    }
    return true;
}

static bool arm(struct cpu_sampler *sampler, struct error *err)
{
    sampler->timer_kind = sampler->options.rate_hz > CPU_SAMPLER_TIMER_MAX_HZ ? CPU_TIMER_PERF_EVENT
                                                                              : CPU_TIMER_POSIX;
    for (uint32_t i = 0; i < sampler->slot_cnt; i++) {
        if (!arm_slot(sampler, i, err)) {
            return false;
        }
    }
    return true;
}

// ---- the two methods -------------------------------------------------------------------------

static bool start_signals(struct cpu_sampler *sampler, const struct subject *subject,
                          struct error *err)
{
    const struct cpu_sampler_options *options = &sampler->options;
    bool room_for_faults = false;
    sampler->method = CPU_METHOD_SIGNAL;
    if (!check_alternate_stack(&room_for_faults, err) || !install(err)) {
        return false;
    }
    // The slots may be those of the last session: nobody may still be writing into one.
    if (!wait_for_handlers()) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "CPU sampling: a handler of the last session has not returned; stop the "
                         "thread's debugger, or try again");
    }
    enum reader_kind reader = room_for_faults ? options->reader : READER_PROCESS_VM_READV;
    if (!memory_reader_open(&sampler->reader, reader, err)) {
        return false;
    }
    sampler->running = true;
    bool ok = init_slots(sampler, subject, err);
    set_reading(sampler, sampler->reader.kind == READER_GUARDED_LOAD);
    return ok && arm(sampler, err);
}

static bool start_watch(struct cpu_sampler *sampler, const struct subject *subject,
                        struct error *err)
{
    sampler->method = CPU_METHOD_FOREIGN;
    if (!memory_reader_open(&sampler->reader, sampler->options.reader, err)) {
        return false;
    }
    sampler->running = true;
    bool ok = init_slots(sampler, subject, err);
    set_reading(sampler, sampler->reader.kind == READER_GUARDED_LOAD);
    return ok && cpu_watch_start(&sampler->watch, sampler->slots, sampler->slot_cnt,
                                 CLOCK_NS_PER_S / sampler->options.rate_hz, err);
}

static bool start(struct cpu_sampler *sampler, const struct subject *subject,
                  enum cpu_method method, struct error *err)
{
    bool ok = method == CPU_METHOD_FOREIGN ? start_watch(sampler, subject, err)
                                           : start_signals(sampler, subject, err);
    if (!ok) {
        cpu_sampler_stop(sampler);
        cpu_sampler_deinit(sampler);
    }
    return ok;
}

bool cpu_sampler_start(struct cpu_sampler *sampler, const struct otp_layout *layout,
                       const struct scheduler_table *table, const _Atomic uint32_t *code_generation,
                       const struct cpu_sampler_options *options, struct error *err)
{
    const struct subject subject = {layout, table, code_generation};
    struct error refused = {0};
    *sampler = (struct cpu_sampler){.options = *options};
#if !defined(__x86_64__) || !defined(__linux__)
    return error_set(err, ERROR_UNSUPPORTED, "CPU sampling: not on this platform yet");
#endif
    if (options->method != CPU_METHOD_AUTO) {
        return start(sampler, &subject, options->method, err);
    }
    if (start(sampler, &subject, CPU_METHOD_SIGNAL, &refused)) {
        return true;
    }
    if (refused.code != ERROR_UNSUPPORTED || options->rate_hz > CPU_SAMPLER_TIMER_MAX_HZ) {
        *err = refused;
        return false;
    }
    *sampler = (struct cpu_sampler){.options = *options, .refused = refused};
    return start(sampler, &subject, CPU_METHOD_FOREIGN, err);
}

void cpu_sampler_check(struct cpu_sampler *sampler)
{
    if (sampler->running) {
        sampler->may_read = memory_reader_check(&sampler->reader);
        set_reading(sampler, sampler->may_read && sampler->reader.kind == READER_GUARDED_LOAD);
        for (uint32_t i = 0; i < sampler->slot_cnt; i++) {
            tick_clock_adjust(&sampler->slots[i].clock);
        }
    }
}

// ---- the end ---------------------------------------------------------------------------------

void cpu_sampler_stop(struct cpu_sampler *sampler)
{
    if (!sampler->running) {
        return;
    }
    sampler->running = false;
    sampler->may_read = false;
    cpu_watch_stop(&sampler->watch);
    for (uint32_t i = 0; sampler->method == CPU_METHOD_SIGNAL && i < sampler->slot_cnt; i++) {
        struct cpu_timer *timer = &sampler->timers[i];
        if (timer->kind == CPU_TIMER_PERF_EVENT && timer->id < MAX_FD) {
            slot_of_fd[timer->id] = NULL;
        }
        cpu_timer_stop(timer);
        atomic_store_explicit(&sampler->slots[i].armed, false, memory_order_seq_cst);
    }
    bool all_out = sampler->method != CPU_METHOD_SIGNAL || wait_for_handlers();
    sampler->abandoned_cnt = all_out ? 0 : sampler->slot_cnt;
    memory_reader_close(&sampler->reader);
}

void cpu_sampler_deinit(struct cpu_sampler *sampler)
{
    // A handler that hangs on a suspended thread may still write into its ring.
    for (uint32_t i = 0; i < sampler->slot_cnt && sampler->abandoned_cnt == 0; i++) {
        spsc_ring_deinit(&sampler->slots[i].ring);
    }
    if (sampler->abandoned_cnt == 0) {
        free(sampler->seen);
    }
    if (sampler->method == CPU_METHOD_FOREIGN) {
        free(sampler->slots);
    } else if (sampler->abandoned_cnt == 0) {
        cpu_slot_pool_give_back(sampler->slots, sampler->taken_cnt);
    }
    free(sampler->timers);
    *sampler = (struct cpu_sampler){0};
}

uint64_t cpu_sampler_thread_ns(const struct cpu_sampler *sampler)
{
    return atomic_load_explicit(&sampler->watch.cpu_ns, memory_order_relaxed);
}

uint64_t cpu_sampler_outcome_cnt(const struct cpu_sampler *sampler, enum cpu_outcome outcome)
{
    uint64_t cnt = 0;
    for (uint32_t i = 0; i < sampler->slot_cnt; i++) {
        cnt += atomic_load_explicit(&sampler->slots[i].outcomes[outcome], memory_order_relaxed);
    }
    return cnt;
}

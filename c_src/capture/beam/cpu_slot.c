// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: cpu_slot_take runs in a signal handler on a scheduler's thread.
#include "capture/beam/cpu_slot.h"

#include "base/clock.h"
#include "capture/beam/dictionary_identity.h"
#include "capture/beam/guarded_read.h"
#include "capture/beam/process_status.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__linux__)
enum {
    MAX_C_STACK_BYTES = 1 << 20,
    SITE_BYTES = 96, // of JIT code before the return address
    MAX_MOVED_WORDS = 256,
    MAX_LOOKS = 3,   // at a process that changes meanwhile
    SAVED_WORDS = 8, // return address and callee-saved registers below the stack base
    CACHE_LINE_BYTES = 64,
    RING_BYTES = 768,         // the sample's first, before what it copies has come
    STACK_BYTES = 256,        // what many stacks have
    PROCESS_BYTES = 704,      // of struct process
    CODE_BYTES = 3072,        // from cpu_slot_take on
    CODE_BEFORE_BYTES = 1920, // what it calls, and the compiler did not make a part of it
    READ_BEFORE_BYTES = 448,  // from guarded_read_words back to where it copies
    RING_CODE_BYTES = 256,
    DICTIONARY_BYTES = 192, // of one without much in it
    DICTIONARY_CODE_BYTES = 1024,
    FLAG_GC = 1 << 17, // ERTS_PSFLG_GC
    MAX_DICTIONARY_ENTRIES = 24,
    FLAG_EXITING = 1 << 11,
    FLAG_FREE = 1 << 10,
};

struct take {
    struct cpu_slot *slot;
    struct cpu_sample *sample;
    uint64_t *next; // where words are appended
    const uint64_t *process;
    uint64_t current; // process of the scheduler, 0 = none
    uint64_t rsp;
    uint64_t stack_base; // of the C stack below the JIT, 0 = unknown
    uint64_t site;       // of the call into C code, 0 = unknown
};

static bool read_words(struct cpu_slot *slot, uint64_t address, void *to, size_t cnt)
{
    if (atomic_load_explicit(&slot->may_guard, memory_order_relaxed)) {
        return guarded_read_words(to, address, cnt);
    }
    struct iovec local = {to, cnt * 8};
    struct iovec remote = {(void *)(uintptr_t)address,
                           cnt * 8}; // NOLINT(performance-no-int-to-ptr)
    return syscall(SYS_process_vm_readv, slot->os_pid, &local, 1UL, &remote, 1UL, 0UL) ==
           (long)(cnt * 8);
}

// Words of the VM's static data and of what it never frees.
static uint64_t load(uint64_t address)
{
    return *(const volatile uint64_t *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
}

// Others ran since the last sample, and what the handler touches is in no cache mostly: it
// is asked for before anything waits for it. At an address where nothing is, that does
// nothing. Not __builtin_prefetch: a function that does only this has no effect to gcc, and
// calls of it are left out.
static void prefetch(uint64_t address, size_t bytes)
{
    uint64_t first = address & ~(CACHE_LINE_BYTES - 1ULL);
    size_t cnt = (address - first + bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES;
    for (size_t i = 0; i < cnt; i++) {
        __asm__ volatile("prefetcht0 (%0)" : : "r"(first + i * CACHE_LINE_BYTES));
    }
}

// The code, too, would be waited for line after line. Where a compiler puts it elsewhere it
// is as slow as without.
static void prefetch_code(void)
{
    prefetch((uint64_t)(uintptr_t)cpu_slot_take - CODE_BEFORE_BYTES,
             CODE_BEFORE_BYTES + CODE_BYTES);
    prefetch((uint64_t)(uintptr_t)guarded_read_words - READ_BEFORE_BYTES,
             READ_BEFORE_BYTES + CACHE_LINE_BYTES);
    prefetch((uint64_t)(uintptr_t)spsc_ring_reserve, RING_CODE_BYTES);
}

static void prefetch_to_write(const void *to, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CACHE_LINE_BYTES) {
        __asm__ volatile("prefetchw (%0)" : : "r"((const char *)to + at));
    }
}

static uint64_t field(const struct take *take, enum layout_field field)
{
    return take->process[take->slot->layout->offset[field] / 8];
}

static uint64_t in_role(const struct take *take, enum register_role role)
{
    return take->sample->registers[take->slot->roles.number[role]];
}

static uint32_t state_flags(const struct take *take)
{
    uint32_t flags;
    memcpy(&flags, (const char *)take->process + take->slot->layout->offset[LAYOUT_STATE],
           sizeof flags);
    return flags;
}

static void copy_registers(struct cpu_sample *sample, const greg_t *registers)
{
    uint64_t *to = sample->registers;
    to[CPU_REGISTER_RBX] = (uint64_t)registers[REG_RBX];
    to[CPU_REGISTER_RBP] = (uint64_t)registers[REG_RBP];
    to[CPU_REGISTER_RSP] = (uint64_t)registers[REG_RSP];
    to[CPU_REGISTER_R12] = (uint64_t)registers[REG_R12];
    to[CPU_REGISTER_R13] = (uint64_t)registers[REG_R13];
    to[CPU_REGISTER_R14] = (uint64_t)registers[REG_R14];
    to[CPU_REGISTER_R15] = (uint64_t)registers[REG_R15];
    to[CPU_REGISTER_RIP] = (uint64_t)registers[REG_RIP];
}

// ---- which process ------------------------------------------------------------------

// A process of the table, as opposed to one the VM made up for a while (a match
// specification runs as a pseudo process, a dirty NIF with a shadow).
static bool is_listed(const struct take *take, uint64_t address, uint64_t id)
{
    const struct otp_layout *layout = take->slot->layout;
    uint64_t index = otp_layout_slot(layout, id);
    return index < layout->slot_cnt && load(layout->table_address + index * 8) == address;
}

// Where the struct, not verified yet, leads to.
static void prefetch_companions(const struct take *take, const uint64_t *process)
{
    const struct otp_layout *layout = take->slot->layout;
    uint64_t id = process[layout->offset[LAYOUT_ID] / 8];
    prefetch(layout->table_address + 8 * otp_layout_slot(layout, id), 8);
    prefetch(process[layout->offset[LAYOUT_STOP] / 8], STACK_BYTES);
    prefetch(process[layout->offset[LAYOUT_REG] / 8], LAYOUT_MAX_REGPROC_BYTES);
    prefetch(process[layout->offset[LAYOUT_CURRENT] / 8], 24);
    prefetch((uint64_t)(uintptr_t)seen_processes_place(take->slot->seen, id), 8);
}

static bool read_process(struct take *take, uint64_t address)
{
    const struct otp_layout *layout = take->slot->layout;
    if (address <= 0xFFFF || address % 8 != 0 || address >= (1ULL << 47) ||
        !read_words(take->slot, address, take->next, layout->process_words)) {
        return false;
    }
    prefetch_companions(take, take->next);
    return is_listed(take, address, take->next[layout->offset[LAYOUT_ID] / 8]);
}

// While a pseudo process is current, the real one is in its register or, in C code, where
// the caller's was saved.
static uint64_t real_process(struct take *take)
{
    uint64_t saved[SAVED_WORDS];
    if (read_process(take, in_role(take, REGISTER_ROLE_PROCESS))) {
        return in_role(take, REGISTER_ROLE_PROCESS);
    }
    if (take->stack_base < sizeof saved || take->stack_base - sizeof saved < take->rsp ||
        !read_words(take->slot, take->stack_base - sizeof saved, saved, SAVED_WORDS)) {
        return 0;
    }
    for (int i = 0; i < SAVED_WORDS; i++) {
        if (read_process(take, saved[i])) {
            return saved[i];
        }
    }
    return 0;
}

static void read_name(struct take *take)
{
    const struct otp_layout *layout = take->slot->layout;
    uint64_t regproc = field(take, LAYOUT_REG);
    uint64_t words[LAYOUT_MAX_REGPROC_BYTES / 8];
    size_t cnt = (size_t)layout->offset[LAYOUT_REGPROC_NAME] / 8 + 1;
    if (regproc != 0 && read_words(take->slot, regproc, words, cnt) &&
        words[layout->offset[LAYOUT_REGPROC_P] / 8] == take->sample->process) {
        take->sample->name = words[layout->offset[LAYOUT_REGPROC_NAME] / 8];
    }
}

static bool read_for_identity(void *context, uint64_t address, void *to, uint32_t word_cnt)
{
    return read_words(context, address, to, word_cnt);
}

// The process stands still meanwhile, or is being collected on this very thread.
static void read_identity(struct take *take)
{
    const struct word_reader reader = {read_for_identity, take->slot};
    dictionary_identity_read(&reader, take->slot->layout, field(take, LAYOUT_DICTIONARY),
                             MAX_DICTIONARY_ENTRIES, &take->sample->identity);
    bool is_collecting = (state_flags(take) & FLAG_GC) != 0;
    take->sample->identity_read = is_collecting ? IDENTITY_READ_IN_PART : IDENTITY_READ;
}

// The dictionary is in no cache mostly: what changes in it later, the writer's thread sees.
static void read_identity_once(struct take *take)
{
    uint64_t id = field(take, LAYOUT_ID);
    if (seen_processes_has(take->slot->seen, id)) {
        return;
    }
    prefetch(field(take, LAYOUT_DICTIONARY), DICTIONARY_BYTES);
    prefetch((uint64_t)(uintptr_t)dictionary_identity_read - DICTIONARY_CODE_BYTES / 2,
             DICTIONARY_CODE_BYTES);
    read_identity(take);
    if (take->sample->identity_read == IDENTITY_READ) {
        seen_processes_add(take->slot->seen, id);
    }
}

static void read_current_mfa(struct take *take)
{
    uint64_t current = field(take, LAYOUT_CURRENT);
    if (current == 0 || !read_words(take->slot, current, take->sample->current_mfa, 3)) {
        memset(take->sample->current_mfa, 0, sizeof take->sample->current_mfa);
    }
}

// ---- the C stack --------------------------------------------------------------------

static void append_c_words(struct take *take, uint64_t address, uint64_t cnt, uint16_t *cnt_ret)
{
    if (cnt > 0 && read_words(take->slot, address, take->next, cnt)) {
        *cnt_ret = (uint16_t)cnt;
        take->next += cnt;
    }
}

// A dirty scheduler's stack ends where nobody told us.
static void copy_endless_c_stack(struct take *take)
{
    uint64_t cnt = CPU_SAMPLE_C_WORDS;
    while (cnt > 0 && take->sample->c_words == 0) {
        append_c_words(take, take->rsp & ~7ULL, cnt, &take->sample->c_words);
        cnt /= 2;
    }
}

static void copy_c_stack(struct take *take)
{
    uint64_t rsp = take->rsp & ~7ULL;
    if (take->stack_base == 0) {
        copy_endless_c_stack(take);
        return;
    }
    uint64_t depth = take->stack_base > rsp ? (take->stack_base - rsp) / 8 : 0;
    bool is_deep = depth > CPU_SAMPLE_C_WORDS + CPU_SAMPLE_C_ROOT_WORDS;
    append_c_words(take, rsp, is_deep ? CPU_SAMPLE_C_WORDS : depth, &take->sample->c_words);
    if (is_deep && take->sample->c_words > 0) {
        append_c_words(take, take->stack_base - CPU_SAMPLE_C_ROOT_WORDS * 8ULL,
                       CPU_SAMPLE_C_ROOT_WORDS, &take->sample->c_root_words);
    }
}

// ---- the Erlang stack ---------------------------------------------------------------

// How the JIT left for C code (emit_enter_runtime, beam_asm.hpp): it stored its stack
// pointer in p->stop, or kept it in rbp. The nearest of these before the call counts:
//   mov [r13 + stop], rsp     movups [r13 + htop or stop], xmm0     mov rbp, rsp
static enum stack_top decode_site(const unsigned char *code, int32_t htop, int32_t stop)
{
    for (int at = SITE_BYTES - 6; at >= 0; at--) {
        const unsigned char *c = code + at;
        bool sse = c[0] == 0x41 && c[1] == 0x0F && c[2] == 0x11 && c[3] == 0x45;
        bool avx = c[0] == 0xC4 && c[1] == 0xC1 && (c[2] & 0xC3) == 0x42 && c[4] == 0x45 &&
                   (c[3] == 0x7F || c[3] == 0x11);
        int32_t offset = sse ? c[4] : avx ? c[5] : -1;
        if ((c[0] == 0x49 && c[1] == 0x89 && c[2] == 0x65 && c[3] == stop) || offset == htop ||
            offset == stop) {
            return STACK_TOP_STORED;
        }
        if (c[0] == 0x48 && c[1] == 0x89 && c[2] == 0xE5) {
            return STACK_TOP_SAVED;
        }
    }
    return STACK_TOP_ASSUMED;
}

// Where JIT code called C code; 0 = not readable.
static uint64_t find_site(struct take *take)
{
    uint64_t site = take->sample->registers[CPU_REGISTER_RIP]; // JIT code on the C stack
    if (take->rsp < take->stack_base && !read_words(take->slot, take->stack_base - 8, &site, 1)) {
        return 0;
    }
    return site >= SITE_BYTES + 0xFFFF && site < (1ULL << 47) ? site : 0;
}

static enum stack_top kind_of_site(struct take *take)
{
    unsigned char code[SITE_BYTES];
    const int32_t *offset = take->slot->layout->offset;
    if (take->site == 0 || !read_words(take->slot, take->site - SITE_BYTES, code, SITE_BYTES / 8)) {
        return STACK_TOP_ASSUMED;
    }
    return decode_site(code, offset[LAYOUT_HTOP], offset[LAYOUT_STOP]);
}

// C code keeps what its caller saved in the register or on its stack, below the base. Of the
// words there that lie in the process's stack it is the highest: the top of its heap
// is saved as well.
static uint64_t saved_stack_top(struct take *take)
{
    uint64_t htop = field(take, LAYOUT_HTOP);
    uint64_t hend = field(take, LAYOUT_HEND);
    uint64_t kept = in_role(take, REGISTER_ROLE_SAVED_STACK);
    uint64_t saved[SAVED_WORDS];
    uint64_t found = kept > htop && kept <= hend && kept % 8 == 0 ? kept : 0;
    uint64_t depth = take->stack_base > take->rsp ? (take->stack_base - take->rsp) / 8 : 0;
    size_t cnt = depth < SAVED_WORDS ? depth : SAVED_WORDS;
    if (cnt == 0 || !read_words(take->slot, take->stack_base - cnt * 8, saved, cnt)) {
        return found;
    }
    for (size_t i = 0; i + 1 < cnt; i++) {
        bool inside = saved[i] > htop && saved[i] <= hend && saved[i] % 8 == 0;
        found = inside && saved[i] > found ? saved[i] : found;
    }
    return found;
}

static uint64_t find_stack_top(struct take *take)
{
    struct cpu_sample *sample = take->sample;
    uint64_t stop = field(take, LAYOUT_STOP);
    uint32_t flags = state_flags(take);
    if (sample->mode == CPU_MODE_ERLANG) {
        sample->stack_top = STACK_TOP_REGISTER;
        return in_role(take, REGISTER_ROLE_STACK);
    }
    sample->stack_top = STACK_TOP_STORED;
    if (sample->mode == CPU_MODE_DIRTY || (flags & FLAG_GC) != 0) {
        return stop; // whoever collects has stored it
    }
    sample->stack_top = (uint16_t)kind_of_site(take);
    if (sample->stack_top != STACK_TOP_SAVED) {
        return stop;
    }
    return saved_stack_top(take);
}

static void copy_erlang_stack(struct take *take, uint64_t top)
{
    struct cpu_sample *sample = take->sample;
    uint64_t heap = field(take, LAYOUT_HEAP);
    uint64_t hend = field(take, LAYOUT_HEND);
    uint64_t depth = top >= heap && top <= hend && top % 8 == 0 ? (hend - top) / 8 : 0;
    bool is_deep = depth > CPU_SAMPLE_WHOLE_WORDS;
    uint64_t leaf = is_deep ? CPU_SAMPLE_LEAF_WORDS : depth;
    uint64_t root = is_deep ? CPU_SAMPLE_ROOT_WORDS : 0;
    if (depth == 0 || !read_words(take->slot, top, take->next, leaf) ||
        (is_deep && !read_words(take->slot, hend - root * 8, take->next + leaf, root))) {
        sample->stack_top = STACK_TOP_LOST;
        return;
    }
    sample->erlang_top = top;
    sample->leaf_words = (uint16_t)leaf;
    sample->root_words = (uint16_t)root;
    sample->omitted_words = depth - leaf - root;
    take->next += leaf + root;
}

// The collector has moved the stack, and not yet told where the new heap ends
// (copy_erlang_stack, then HEAP_END, erl_gc.c).
static void copy_moved_stack(struct take *take, uint64_t top)
{
    uint64_t cnt = MAX_MOVED_WORDS;
    while (cnt > 0 && !read_words(take->slot, top, take->next, cnt)) {
        cnt /= 2;
    }
    take->sample->stack_top = cnt > 0 ? STACK_TOP_MOVED : STACK_TOP_LOST;
    take->sample->erlang_top = top;
    take->sample->leaf_words = (uint16_t)cnt;
    take->next += cnt;
}

static void take_stack(struct take *take)
{
    uint64_t top = find_stack_top(take);
    bool is_inside = top >= field(take, LAYOUT_HEAP) && top <= field(take, LAYOUT_HEND);
    if ((state_flags(take) & FLAG_GC) != 0 && !is_inside && top > 0xFFFF && top % 8 == 0 &&
        top < (1ULL << 47)) {
        copy_moved_stack(take, top);
    } else {
        copy_erlang_stack(take, top);
    }
}

// ---- one sample -----------------------------------------------------------------------

static bool is_on_erlang_stack(const struct take *take)
{
    uint64_t top = in_role(take, REGISTER_ROLE_STACK);
    return top >= field(take, LAYOUT_HEAP) && top <= field(take, LAYOUT_HEND);
}

static bool find_process(struct take *take)
{
    struct cpu_sample *sample = take->sample;
    take->process = take->next;
    if (take->current == 0) {
        return false;
    }
    sample->process = take->current;
    if (!read_process(take, take->current)) {
        sample->process = real_process(take);
    }
    return sample->process != 0;
}

// In the order in which others hang on it; the C stack is being copied meanwhile.
static void take_c_code(struct take *take)
{
    if (take->sample->mode == CPU_MODE_NATIVE) {
        take->site = find_site(take);
        prefetch(take->site - SITE_BYTES, SITE_BYTES);
    }
    copy_c_stack(take);
    read_current_mfa(take);
}

static void take_process(struct take *take)
{
    struct cpu_sample *sample = take->sample;
    sample->process_words = (uint16_t)take->slot->layout->process_words;
    take->next += sample->process_words;
    if (take->slot->kind != SCHEDULER_NORMAL) {
        sample->mode = CPU_MODE_DIRTY;
    } else {
        sample->mode = is_on_erlang_stack(take) ? CPU_MODE_ERLANG : CPU_MODE_NATIVE;
    }
    if (sample->mode != CPU_MODE_ERLANG) {
        take_c_code(take);
    }
    if ((state_flags(take) & (FLAG_EXITING | FLAG_FREE)) == 0) {
        take_stack(take);
    }
    read_name(take);
    read_identity_once(take);
}

static void read_idle(struct take *take)
{
    struct cpu_slot *slot = take->slot;
    struct cpu_sample *sample = take->sample;
    uint64_t sleep_info = load(slot->scheduler + SCHEDULER_SLEEP_INFO);
    uint64_t words[SLEEP_INFO_FLAGS / 8 + 1];
    sample->process = 0;
    sample->mode = CPU_MODE_NO_PROCESS;
    sample->current_port = load(slot->scheduler + SCHEDULER_CURRENT_PORT);
    if (sleep_info != 0 && read_words(slot, sleep_info, words, sizeof words / sizeof words[0]) &&
        words[SLEEP_INFO_SCHEDULER / 8] == slot->scheduler) {
        sample->sleep_flags = (uint32_t)words[SLEEP_INFO_FLAGS / 8];
    }
}

static void fill(struct take *take, const greg_t *registers)
{
    copy_registers(take->sample, registers);
    bool bounded =
        take->rsp <= take->stack_base && take->stack_base - take->rsp < MAX_C_STACK_BYTES;
    take->stack_base = bounded ? take->stack_base : 0;
    take->sample->stack_base = take->stack_base;
    if (find_process(take)) {
        take_process(take);
        return;
    }
    read_idle(take);
    copy_c_stack(take);
}

static void begin(struct cpu_slot *slot, struct cpu_sample *sample, uint64_t time_ns,
                  uint64_t period_ns)
{
    memset(sample, 0, offsetof(struct cpu_sample, identity));
    sample->time_ns = time_ns;
    sample->period_ns = period_ns;
    sample->kind = slot->kind;
    sample->scheduler_no = slot->no;
    sample->code_generation = atomic_load_explicit(slot->code_generation, memory_order_relaxed);
}

// What can be told where it is. The process first: most hangs on it.
static void look_ahead(struct take *take, const greg_t *registers)
{
    const struct cpu_slot *slot = take->slot;
    take->rsp = (uint64_t)registers[REG_RSP];
    take->current = load(slot->scheduler + SCHEDULER_CURRENT_PROCESS);
    take->stack_base =
        slot->kind == SCHEDULER_NORMAL ? load(slot->scheduler + SCHEDULER_REGISTERS) : 0;
    if (take->current != 0) {
        prefetch(take->current, PROCESS_BYTES);
    }
    prefetch((uint64_t)(uintptr_t)slot->layout, sizeof *slot->layout);
    prefetch(take->rsp, STACK_BYTES);
    prefetch(take->stack_base - 8, 8);
    prefetch((uint64_t)(uintptr_t)slot->code_generation, 4);
}

static void take_sample(struct cpu_slot *slot, struct cpu_sample *sample, uint64_t period_ns,
                        const greg_t *registers, uint64_t begin_ticks)
{
    struct take take = {.slot = slot, .sample = sample, .next = sample->words};
    look_ahead(&take, registers);
    prefetch_to_write(sample, RING_BYTES);
    begin(slot, sample, tick_clock_ns(&slot->clock, begin_ticks), period_ns);
    fill(&take, registers);
    sample->handler_ticks = (uint32_t)(clock_ticks() - begin_ticks);
    spsc_ring_commit(&slot->ring, (uint32_t)((char *)take.next - (char *)sample));
}

void cpu_slot_take(struct cpu_slot *slot, uint64_t period_cnt, const void *ucontext)
{
    uint64_t begin_ticks = clock_ticks();
    const ucontext_t *context = ucontext;
    enum cpu_outcome outcome = CPU_OUTCOME_DISARMED;
    prefetch((uint64_t)(uintptr_t)slot, sizeof *slot);
    prefetch_code();
    if (atomic_load_explicit(&slot->armed, memory_order_acquire)) {
        struct cpu_sample *sample = spsc_ring_reserve(&slot->ring, CPU_SAMPLE_MAX_BYTES);
        outcome = sample == NULL ? CPU_OUTCOME_RING_FULL : CPU_OUTCOME_TAKEN;
        if (sample != NULL) {
            take_sample(slot, sample, period_cnt * slot->interval_ns, context->uc_mcontext.gregs,
                        begin_ticks);
        }
    }
    atomic_fetch_add_explicit(&slot->outcomes[outcome], period_cnt, memory_order_relaxed);
}

// ---- from another thread ---------------------------------------------------------------

static bool is_unchanged(const struct take *take)
{
    static const enum layout_field FIELDS[] = {LAYOUT_ID, LAYOUT_STOP, LAYOUT_HEAP, LAYOUT_HEND};
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        uint64_t now;
        uint64_t at = take->sample->process + (uint64_t)take->slot->layout->offset[FIELDS[i]];
        if (!read_words(take->slot, at, &now, 1) || now != field(take, FIELDS[i])) {
            return false;
        }
    }
    return load(take->slot->scheduler + SCHEDULER_CURRENT_PROCESS) == take->sample->process;
}

// True when what was copied was so at one moment.
static bool look_at_process(struct take *take)
{
    struct cpu_sample *sample = take->sample;
    take->next = sample->words;
    take->process = take->next;
    sample->process_words = 0;
    sample->leaf_words = 0;
    sample->root_words = 0;
    if (!read_process(take, sample->process)) {
        return false;
    }
    sample->process_words = (uint16_t)take->slot->layout->process_words;
    take->next += sample->process_words;
    if ((state_flags(take) & (FLAG_EXITING | FLAG_FREE)) != 0) {
        sample->stack_top = STACK_TOP_NONE;
        return true;
    }
    sample->stack_top = STACK_TOP_LAGGING;
    read_identity(take);
    copy_erlang_stack(take, field(take, LAYOUT_STOP));
    return is_unchanged(take);
}

static void without_stack(struct take *take)
{
    take->next = take->sample->words + take->sample->process_words;
    take->sample->leaf_words = 0;
    take->sample->root_words = 0;
    take->sample->omitted_words = 0;
    take->sample->stack_top = STACK_TOP_LOST;
}

static void watch_process(struct take *take, uint64_t current)
{
    struct cpu_sample *sample = take->sample;
    bool ok = false;
    sample->mode = CPU_MODE_WATCHED;
    sample->process = current;
    for (int i = 0; i < MAX_LOOKS && !ok; i++) {
        ok = look_at_process(take);
    }
    if (!ok) {
        without_stack(take);
    }
    if (sample->process_words == 0) {
        sample->process = 0; // the VM's own for a while, or gone
        return;
    }
    read_name(take);
    if (take->slot->kind != SCHEDULER_NORMAL) {
        read_current_mfa(take);
    }
}

bool cpu_slot_look(struct cpu_slot *slot, uint64_t period_ns)
{
    struct cpu_sample *sample = spsc_ring_reserve(&slot->ring, CPU_SAMPLE_MAX_BYTES);
    enum cpu_outcome outcome = sample == NULL ? CPU_OUTCOME_RING_FULL : CPU_OUTCOME_TAKEN;
    if (sample != NULL) {
        begin(slot, sample, clock_monotonic_ns(), period_ns);
        struct take take = {.slot = slot, .sample = sample, .next = sample->words};
        uint64_t current = load(slot->scheduler + SCHEDULER_CURRENT_PROCESS);
        if (current != 0) {
            watch_process(&take, current);
        } else {
            read_idle(&take);
            if (sample->current_port == 0 && (sample->sleep_flags & SLEEP_FLAGS_ASLEEP) != 0) {
                return false;
            }
        }
        spsc_ring_commit(&slot->ring, (uint32_t)((char *)take.next - (char *)sample));
    }
    atomic_fetch_add_explicit(&slot->outcomes[outcome], 1, memory_order_relaxed);
    return true;
}

#else

bool cpu_slot_look(struct cpu_slot *slot, uint64_t period_ns)
{
    (void)slot;
    (void)period_ns;
    return false;
}

void cpu_slot_take(struct cpu_slot *slot, uint64_t period_cnt, const void *ucontext)
{
    (void)ucontext;
    atomic_fetch_add_explicit(&slot->outcomes[CPU_OUTCOME_DISARMED], period_cnt,
                              memory_order_relaxed);
}

#endif

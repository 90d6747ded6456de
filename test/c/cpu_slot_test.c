// SPDX-License-Identifier: Apache-2.0
// What the signal handler notes of a scheduler that a test made up: on the Erlang
// stack, in C code called in either way, collecting, on a dirty scheduler, idle.
#include "capture/beam/cpu_slot.h"

#include "child_process.h"
#include "fake_vm.h"

#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

enum { C_WORDS = 4000, SITE_BYTES = 96 };

static struct fake_vm vm;
static struct memory_reader reader;
static struct cpu_slot slot;
static struct fake_process process;
static unsigned char *scheduler;
static uint64_t *c_stack; // its last word is just below the base
static unsigned char *site;
static struct seen_processes seen;
static _Atomic uint32_t generation = 7;
static ucontext_t context;

static uint64_t base(void)
{
    return fake_address(c_stack + C_WORDS);
}

static void put(unsigned char *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static void set_register(int number, uint64_t value)
{
    context.uc_mcontext.gregs[number] = (greg_t)value;
}

static void set_up(const char *release, enum reader_kind kind, enum scheduler_kind scheduler_kind)
{
    fake_vm_init(&vm, release, 1024);
    fake_open_reader(&reader, kind);
    process = fake_spawn(&vm, 5, 1, 4096, 600);
    scheduler = fake_alloc(&vm, 512);
    c_stack = fake_alloc(&vm, C_WORDS * 8);
    site = fake_alloc(&vm, 256);
    memset(site, 0x90, 256);
    put(scheduler + SCHEDULER_REGISTERS, base());
    put(scheduler + SCHEDULER_CURRENT_PROCESS, fake_address(process.bytes));
    c_stack[C_WORDS - 1] = fake_address(site + SITE_BYTES); // return address of the JIT's call
    slot = (struct cpu_slot){
        .layout = &vm.layout,
        .code_generation = &generation,
        .seen = &seen,
        .scheduler = fake_address(scheduler),
        .interval_ns = 1000,
        .os_pid = getpid(),
        .kind = (uint16_t)scheduler_kind,
        .no = 3,
        .roles = REGISTER_ROLES_KNOWN,
        .armed = true,
        .may_guard = reader.kind == READER_GUARDED_LOAD,
    };
    memset(&seen, 0, sizeof seen);
    CHECK(spsc_ring_init(&slot.ring, 128 << 10));
    memset(&context, 0, sizeof context);
    set_register(REG_R13, fake_address(process.bytes));
    set_register(REG_RSP, fake_address(c_stack + C_WORDS - 50));
    set_register(REG_RIP, 0x401000);
}

static void tear_down(void)
{
    spsc_ring_deinit(&slot.ring);
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

static void for_each(enum scheduler_kind scheduler_kind, void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        const char *const releases[] = {"25", "27"};
        for (int i = 0; i < 2; i++) {
            set_up(releases[i], FAKE_READERS[kind], scheduler_kind);
            part();
            tear_down();
        }
    }
}

static const struct cpu_sample *take(void)
{
    uint32_t len = 0;
    const struct cpu_sample *old;
    while ((old = spsc_ring_peek(&slot.ring, &len)) != NULL) {
        spsc_ring_pop(&slot.ring);
    }
    cpu_slot_take(&slot, 2, &context);
    const struct cpu_sample *sample = spsc_ring_peek(&slot.ring, &len);
    CHECK(sample != NULL);
    CHECK_UINT(len, sizeof *sample +
                        8UL * (sample->process_words + sample->c_words + sample->c_root_words +
                               sample->leaf_words + sample->root_words));
    return sample;
}

static const uint64_t *erlang_words(const struct cpu_sample *sample)
{
    return sample->words + sample->process_words + sample->c_words + sample->c_root_words;
}

static void read_who_it_is(void)
{
    uint64_t *slots = fake_dictionary(&vm, 1);
    slots[0] = fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
    fake_set(&vm, &process, LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    CHECK_INT(take()->identity_read, IDENTITY_READ);
    CHECK_INT(take()->identity_read, IDENTITY_NOT_READ);
    seen_processes_forget(&seen, process.id);
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_COLLECTING);
    CHECK_INT(take()->identity_read, IDENTITY_READ_IN_PART);
    CHECK_INT(take()->identity_read, IDENTITY_READ_IN_PART);
    CHECK_UINT(take()->identity.initial[0], fake_atom(10));
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_WAITING);
    CHECK_INT(take()->identity_read, IDENTITY_READ);
}

TEST(a_dictionary_is_read_once)
{
    for_each(SCHEDULER_NORMAL, read_who_it_is);
    for_each(SCHEDULER_DIRTY_CPU, read_who_it_is);
}

static void run_erlang(void)
{
    fake_register(&vm, &process, fake_atom(50));
    set_register(REG_RSP, fake_address(process.stack + 10));
    uint64_t *slots = fake_dictionary(&vm, 2);
    slots[0] = fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
    slots[1] = fake_pair(&vm, vm.layout.label_key, fake_atom(12));
    fake_set(&vm, &process, LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    const struct cpu_sample *sample = take();
    CHECK_UINT(sample->identity.initial[0], fake_atom(10));
    CHECK_UINT(sample->identity.label[0], fake_atom(12));
    CHECK_INT(sample->mode, CPU_MODE_ERLANG);
    CHECK_INT(sample->stack_top, STACK_TOP_REGISTER);
    CHECK_UINT(sample->process, fake_address(process.bytes));
    CHECK_UINT(sample->name, fake_atom(50));
    CHECK_UINT(sample->period_ns, 2000);
    CHECK_UINT(sample->scheduler_no, 3);
    CHECK_UINT(sample->code_generation, 7);
    CHECK_UINT(sample->c_words, 0);
    CHECK_UINT(sample->leaf_words, 590);
    CHECK_MEM(sample->words, process.bytes, vm.layout.process_words * 8UL);
    CHECK_MEM(erlang_words(sample), process.stack + 10, 590 * 8);
    CHECK_UINT(sample->registers[CPU_REGISTER_RIP], 0x401000);
    CHECK_UINT(slot.outcomes[CPU_OUTCOME_TAKEN], 2);
}

TEST(erlang_code_has_the_stack_pointers_stack)
{
    for_each(SCHEDULER_NORMAL, run_erlang);
}

static void call_c(void)
{
    // mov [r13 + stop], rsp
    const unsigned char store[] = {0x49, 0x89, 0x65, (unsigned char)vm.layout.offset[LAYOUT_STOP]};
    memcpy(site + 80, store, sizeof store);
    fake_set(&vm, &process, LAYOUT_STOP, fake_address(process.stack + 4));
    const struct cpu_sample *sample = take();
    CHECK_INT(sample->mode, CPU_MODE_NATIVE);
    CHECK_INT(sample->stack_top, STACK_TOP_STORED);
    CHECK_UINT(sample->stack_base, base());
    CHECK_UINT(sample->c_words, 50);
    CHECK_MEM(sample->words + sample->process_words, c_stack + C_WORDS - 50, 50 * 8);
    CHECK_UINT(sample->erlang_top, fake_address(process.stack + 4));
    CHECK_UINT(sample->leaf_words, 596);
    // mov rbp, rsp, nearer to the call: p->stop is stale, rbp was saved by the callee
    const unsigned char keep[] = {0x48, 0x89, 0xE5};
    memcpy(site + 88, keep, sizeof keep);
    c_stack[C_WORDS - 3] = fake_address(process.stack + 20);
    c_stack[C_WORDS - 4] = fake_address(process.heap + 4096 / 4 + 8); // top of the heap
    sample = take();
    CHECK_INT(sample->stack_top, STACK_TOP_SAVED);
    CHECK_UINT(sample->erlang_top, fake_address(process.stack + 20));
    CHECK_MEM(erlang_words(sample), process.stack + 20, 580 * 8);
    // in the register still
    c_stack[C_WORDS - 3] = 0;
    c_stack[C_WORDS - 4] = 0;
    set_register(REG_RBP, fake_address(process.stack + 30));
    CHECK_UINT(take()->erlang_top, fake_address(process.stack + 30));
    // neither
    memset(site, 0x90, 256);
    CHECK_INT(take()->stack_top, STACK_TOP_ASSUMED);
    c_stack[C_WORDS - 1] = 8;
    CHECK_INT(take()->stack_top, STACK_TOP_ASSUMED);
}

TEST(c_code_has_the_stack_its_caller_left)
{
    for_each(SCHEDULER_NORMAL, call_c);
}

static void collect(void)
{
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_COLLECTING | FAKE_RUNNING);
    const struct cpu_sample *sample = take();
    CHECK_INT(sample->stack_top, STACK_TOP_STORED);
    CHECK_UINT(sample->leaf_words, 600);
    // Moved to the new heap, whose end is not told yet.
    uint64_t *moved = fake_alloc(&vm, 4096);
    moved[0] = fake_return_address(1);
    fake_set(&vm, &process, LAYOUT_STOP, fake_address(moved));
    sample = take();
    CHECK_INT(sample->stack_top, STACK_TOP_MOVED);
    CHECK_UINT(sample->leaf_words, 256);
    CHECK_UINT(erlang_words(sample)[0], fake_return_address(1));
}

TEST(a_collection_has_the_stack_wherever_it_is)
{
    for_each(SCHEDULER_NORMAL, collect);
}

static void take_odd_ones(void)
{
    // exiting: no stack
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_EXITING | FAKE_RUNNING);
    const struct cpu_sample *sample = take();
    CHECK_INT(sample->stack_top, STACK_TOP_NONE);
    CHECK_UINT(sample->leaf_words, 0);
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_RUNNING);
    // nonsense for a stack
    fake_set(&vm, &process, LAYOUT_STOP, 0x123457);
    CHECK_INT(take()->stack_top, STACK_TOP_LOST);
    // a pseudo process is current: the real one is in a saved register
    unsigned char *pseudo = fake_alloc(&vm, LAYOUT_MAX_PROCESS_BYTES);
    put(scheduler + SCHEDULER_CURRENT_PROCESS, fake_address(pseudo));
    CHECK_UINT(take()->process, fake_address(process.bytes));
    set_register(REG_R13, 0x1234);
    c_stack[C_WORDS - 5] = fake_address(process.bytes);
    CHECK_UINT(take()->process, fake_address(process.bytes));
    c_stack[C_WORDS - 5] = 0;
    sample = take();
    CHECK_INT(sample->mode, CPU_MODE_NO_PROCESS);
    CHECK_UINT(sample->process_words, 0);
    // nobody is current
    put(scheduler + SCHEDULER_CURRENT_PROCESS, 0);
    unsigned char *sleep_info = fake_alloc(&vm, 64);
    put(sleep_info + SLEEP_INFO_SCHEDULER, fake_address(scheduler));
    put(sleep_info + SLEEP_INFO_FLAGS, SLEEP_FLAG_WAITING | 1);
    put(scheduler + SCHEDULER_SLEEP_INFO, fake_address(sleep_info));
    put(scheduler + SCHEDULER_CURRENT_PORT, 0x77);
    sample = take();
    CHECK_UINT(sample->process, 0);
    CHECK_UINT(sample->sleep_flags, SLEEP_FLAG_WAITING | 1);
    CHECK_UINT(sample->current_port, 0x77);
    CHECK_UINT(sample->c_words, 50);
    put(sleep_info + SLEEP_INFO_SCHEDULER, 0x1000); // somebody else's
    CHECK_UINT(take()->sleep_flags, 0);
}

TEST(odd_moments_are_told_not_guessed)
{
    for_each(SCHEDULER_NORMAL, take_odd_ones);
}

static void run_dirty(void)
{
    const uint64_t mfa[3] = {fake_atom(1), fake_atom(2), 3};
    uint64_t *current = fake_alloc(&vm, sizeof mfa);
    memcpy(current, mfa, sizeof mfa);
    fake_set(&vm, &process, LAYOUT_CURRENT, fake_address(current));
    const struct cpu_sample *sample = take();
    CHECK_INT(sample->mode, CPU_MODE_DIRTY);
    CHECK_UINT(sample->stack_base, 0);
    CHECK_MEM(sample->current_mfa, mfa, sizeof mfa);
    CHECK_UINT(sample->leaf_words, 600);
    CHECK(sample->c_words >= 50);
    fake_set(&vm, &process, LAYOUT_CURRENT, 8); // unreadable
    CHECK_UINT(take()->current_mfa[0], 0);
}

TEST(a_dirty_scheduler_has_the_stored_stack)
{
    for_each(SCHEDULER_DIRTY_CPU, run_dirty);
}

static void go_deep(void)
{
    process = fake_spawn(&vm, 6, 1, 8192, 4000);
    put(scheduler + SCHEDULER_CURRENT_PROCESS, fake_address(process.bytes));
    set_register(REG_RSP, fake_address(process.stack));
    const struct cpu_sample *sample = take();
    CHECK_UINT(sample->leaf_words, CPU_SAMPLE_LEAF_WORDS);
    CHECK_UINT(sample->root_words, CPU_SAMPLE_ROOT_WORDS);
    CHECK_UINT(sample->omitted_words, 4000 - CPU_SAMPLE_LEAF_WORDS - CPU_SAMPLE_ROOT_WORDS);
    CHECK_MEM(erlang_words(sample) + CPU_SAMPLE_LEAF_WORDS,
              process.stack + 4000 - CPU_SAMPLE_ROOT_WORDS, CPU_SAMPLE_ROOT_WORDS * 8UL);
}

static void go_deep_in_c(void)
{
    set_register(REG_RSP, fake_address(c_stack + 100));
    const struct cpu_sample *sample = take();
    const uint64_t *c_words = sample->words + sample->process_words;
    CHECK_UINT(sample->c_words, CPU_SAMPLE_C_WORDS);
    CHECK_UINT(sample->c_root_words, CPU_SAMPLE_C_ROOT_WORDS);
    CHECK_MEM(c_words, c_stack + 100, CPU_SAMPLE_C_WORDS * 8);
    CHECK_MEM(c_words + CPU_SAMPLE_C_WORDS, c_stack + C_WORDS - CPU_SAMPLE_C_ROOT_WORDS,
              CPU_SAMPLE_C_ROOT_WORDS * 8);
}

TEST(a_deep_c_stack_keeps_both_ends)
{
    for_each(SCHEDULER_NORMAL, go_deep_in_c);
}

TEST(a_deep_stack_keeps_both_ends)
{
    for_each(SCHEDULER_NORMAL, go_deep);
}

static const struct cpu_sample *look(void)
{
    uint32_t len = 0;
    while (spsc_ring_peek(&slot.ring, &len) != NULL) {
        spsc_ring_pop(&slot.ring);
    }
    return cpu_slot_look(&slot, 5000) ? spsc_ring_peek(&slot.ring, &len) : NULL;
}

static void watch_processes(void)
{
    fake_register(&vm, &process, fake_atom(50));
    const struct cpu_sample *sample = look();
    CHECK_INT(sample->mode, CPU_MODE_WATCHED);
    CHECK_INT(sample->stack_top, STACK_TOP_LAGGING);
    CHECK_UINT(sample->period_ns, 5000);
    CHECK_UINT(sample->process, fake_address(process.bytes));
    CHECK_UINT(sample->name, fake_atom(50));
    CHECK_UINT(sample->c_words, 0);
    CHECK_UINT(sample->leaf_words, 600);
    CHECK_MEM(erlang_words(sample), process.stack, 600 * 8);
    fake_set(&vm, &process, LAYOUT_STOP, 0x123457); // nonsense
    CHECK_INT(look()->stack_top, STACK_TOP_LOST);
    CHECK_UINT(look()->process, fake_address(process.bytes));
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_EXITING | FAKE_RUNNING);
    CHECK_INT(look()->stack_top, STACK_TOP_NONE);
    // not of the table, and not readable: no process, but somebody runs
    put(scheduler + SCHEDULER_CURRENT_PROCESS,
        fake_address(fake_alloc(&vm, LAYOUT_MAX_PROCESS_BYTES)));
    for (int i = 0; i < 2; i++) {
        sample = look();
        CHECK_INT(sample->mode, CPU_MODE_WATCHED);
        CHECK_UINT(sample->process, 0);
        CHECK_UINT(sample->process_words, 0);
        put(scheduler + SCHEDULER_CURRENT_PROCESS, 0x10008);
    }
}

TEST(from_another_thread_a_process_is_seen_as_last_stored)
{
    for_each(SCHEDULER_NORMAL, watch_processes);
}

static void watch_idle(void)
{
    unsigned char *sleep_info = fake_alloc(&vm, 64);
    put(scheduler + SCHEDULER_CURRENT_PROCESS, 0);
    put(scheduler + SCHEDULER_SLEEP_INFO, fake_address(sleep_info));
    put(sleep_info + SLEEP_INFO_SCHEDULER, fake_address(scheduler));
    put(sleep_info + SLEEP_INFO_FLAGS, SLEEP_FLAG_WAITING); // spins
    CHECK_INT(look()->mode, CPU_MODE_NO_PROCESS);
    CHECK_UINT(look()->sleep_flags, SLEEP_FLAG_WAITING);
    put(sleep_info + SLEEP_INFO_FLAGS, SLEEP_FLAG_WAITING | 1); // sleeps
    CHECK(look() == NULL);
    put(scheduler + SCHEDULER_CURRENT_PORT, 0x77);
    CHECK_UINT(look()->current_port, 0x77);
}

TEST(from_another_thread_a_scheduler_that_sleeps_is_not_seen)
{
    for_each(SCHEDULER_NORMAL, watch_idle);
}

static void lose(void)
{
    for (int i = 0; i < 1000; i++) {
        cpu_slot_take(&slot, 1, &context);
    }
    uint64_t taken = slot.outcomes[CPU_OUTCOME_TAKEN];
    CHECK(taken > 0 && taken < 1000);
    CHECK_UINT(slot.outcomes[CPU_OUTCOME_RING_FULL], 1000 - taken);
    slot.armed = false;
    cpu_slot_take(&slot, 3, &context);
    CHECK_UINT(slot.outcomes[CPU_OUTCOME_DISARMED], 3);
}

TEST(what_is_not_taken_is_counted)
{
    for_each(SCHEDULER_NORMAL, lose);
}

#else

TEST(another_machine)
{
    TEST_SKIP("not x86-64");
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Registers in their roles, and every other register in every role: contradicted.
#include "capture/beam/register_roles.h"

#include "fake_vm.h"

#include <stdlib.h>

enum { STACK_WORDS = 600, USED = 20 };

static const int NUMBERS[] = {CPU_REGISTER_RBX, CPU_REGISTER_RBP, CPU_REGISTER_RSP,
                              CPU_REGISTER_R12, CPU_REGISTER_R13, CPU_REGISTER_R14,
                              CPU_REGISTER_R15};
enum { NUMBER_CNT = sizeof NUMBERS / sizeof NUMBERS[0] };

static struct fake_vm vm;
static struct fake_process process;
static struct cpu_sample *sample;
static uint64_t caller[CPU_REGISTER_CNT];

static uint64_t heap_top(void)
{
    return fake_address(process.heap + 4096 / 4 + 8); // grown since it was stored
}

// As the JIT has them; what has no role is of the kind that is found there.
static void fill(uint64_t *registers, uint64_t stack_pointer, uint64_t saved_stack)
{
    memset(registers, 0, CPU_REGISTER_CNT * sizeof *registers);
    registers[CPU_REGISTER_RBX] = fake_address(vm.table);
    registers[CPU_REGISTER_RBP] = saved_stack;
    registers[CPU_REGISTER_RSP] = stack_pointer;
    registers[CPU_REGISTER_R12] = 1;
    registers[CPU_REGISTER_R13] = sample->process;
    registers[CPU_REGISTER_R14] = 3999;
    registers[CPU_REGISTER_R15] = heap_top();
}

static void set_up(const char *release)
{
    fake_vm_init(&vm, release, 1024);
    process = fake_spawn(&vm, 5, 1, 4096, STACK_WORDS);
    sample = calloc(1, sizeof *sample + LAYOUT_MAX_PROCESS_BYTES);
    CHECK(sample != NULL);
    sample->process = fake_address(process.bytes);
    sample->process_words = (uint16_t)vm.layout.process_words;
    memcpy(sample->words, process.bytes, vm.layout.process_words * 8UL);
}

static void tear_down(void)
{
    free(sample);
    fake_vm_deinit(&vm);
}

static void for_each(void (*part)(void))
{
    static const char *const RELEASES[] = {"25", "27", "29"};
    for (int i = 0; i < 3; i++) {
        set_up(RELEASES[i]);
        part();
        tear_down();
    }
}

// In Erlang code; rbp holds the stack's top of some earlier call.
static void be_in_code(void)
{
    sample->mode = CPU_MODE_ERLANG;
    sample->stack_top = STACK_TOP_REGISTER;
    fill(sample->registers, fake_address(process.stack + USED), fake_address(process.stack + 7));
}

// In C code that does not touch the caller's registers, which is the worst case: what is
// taken for the stack by the handler is whatever is in the role's register.
static void be_in_call(const struct register_roles *roles)
{
    sample->mode = CPU_MODE_NATIVE;
    sample->stack_top = STACK_TOP_SAVED;
    fill(sample->registers, fake_address(vm.table), fake_address(process.stack + USED));
    memcpy(caller, sample->registers, sizeof caller);
    sample->erlang_top = caller[roles->number[REGISTER_ROLE_SAVED_STACK]];
}

static enum register_verdict check_code(const struct register_roles *roles)
{
    return register_roles_check_code(roles, &vm.layout, sample);
}

static enum register_verdict check_call(const struct register_roles *roles)
{
    return register_roles_check_call(roles, &vm.layout, sample, caller);
}

static void agree(void)
{
    be_in_code();
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_AGREE);
    CHECK_INT(check_call(&REGISTER_ROLES_KNOWN), REGISTERS_SAY_NOTHING);
    be_in_call(&REGISTER_ROLES_KNOWN);
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_SAY_NOTHING);
    CHECK_INT(check_call(&REGISTER_ROLES_KNOWN), REGISTERS_AGREE);
    sample->stack_top = STACK_TOP_STORED;
    CHECK_INT(check_call(&REGISTER_ROLES_KNOWN), REGISTERS_SAY_NOTHING);
    sample->mode = CPU_MODE_DIRTY;
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_SAY_NOTHING);
}

TEST(registers_agree_with_their_roles)
{
    for_each(agree);
}

// Back from a collection in C: the heap's top is yet to be loaded.
static void be_behind_a_collection(void)
{
    be_in_code();
    sample->registers[CPU_REGISTER_R15] = fake_address(vm.table);
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_SAY_NOTHING);
    sample->registers[CPU_REGISTER_R13] += 8;
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_CONTRADICT);
}

TEST(the_top_of_a_heap_that_is_gone_is_no_contradiction)
{
    for_each(be_behind_a_collection);
}

// By code or by a call.
static void contradict(void)
{
    for (int role = 0; role < REGISTER_ROLE_CNT; role++) {
        for (int i = 0; i < NUMBER_CNT; i++) {
            struct register_roles roles = REGISTER_ROLES_KNOWN;
            if (roles.number[role] == NUMBERS[i]) {
                continue;
            }
            roles.number[role] = (uint8_t)NUMBERS[i];
            be_in_code();
            bool in_code = check_code(&roles) == REGISTERS_CONTRADICT;
            be_in_call(&roles);
            CHECK(in_code || check_call(&roles) == REGISTERS_CONTRADICT);
        }
    }
}

TEST(any_other_register_is_contradicted)
{
    for_each(contradict);
}

static void swap(void)
{
    for (int a = 0; a < REGISTER_ROLE_CNT; a++) {
        for (int b = 0; b < a; b++) {
            struct register_roles roles = REGISTER_ROLES_KNOWN;
            roles.number[a] = REGISTER_ROLES_KNOWN.number[b];
            roles.number[b] = REGISTER_ROLES_KNOWN.number[a];
            be_in_code();
            bool in_code = check_code(&roles) == REGISTERS_CONTRADICT;
            be_in_call(&roles);
            CHECK(in_code || check_call(&roles) == REGISTERS_CONTRADICT);
        }
    }
}

TEST(two_roles_swapped_are_contradicted)
{
    for_each(swap);
}

// With a wrong register for the stack, Erlang code looks like C code.
static void mistake_code(void)
{
    be_in_code();
    sample->mode = CPU_MODE_NATIVE;
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_CONTRADICT);
    be_in_code();
    sample->registers[CPU_REGISTER_RSP] += 4;
    CHECK_INT(check_code(&REGISTER_ROLES_KNOWN), REGISTERS_CONTRADICT);
}

TEST(code_that_is_taken_for_c_code_is_contradicted)
{
    for_each(mistake_code);
}

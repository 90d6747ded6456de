// SPDX-License-Identifier: Apache-2.0
// Names and stacks of real native code: this test's own.
#include "symbols/beam/native_code.h"

#include "test.h"

#include <stdlib.h>
#include <ucontext.h>

#if defined(__x86_64__)

static struct native_code *code;
static uint64_t caught[32];
static uint32_t caught_cnt;
static enum call_frame_step last_step;

static bool read_stack(void *context, uint64_t address, uint64_t *word_ret)
{
    (void)context;
    memcpy(word_ret, (const void *)(uintptr_t)address, sizeof *word_ret);
    return address % 8 == 0;
}

// The functions on the stack, by where they begin, from here on.
__attribute__((noinline)) static void catch_stack(void)
{
    static const int numbers[][2] = {{REG_RBX, 3},  {REG_RBP, 6},  {REG_RSP, 7},  {REG_R12, 12},
                                     {REG_R13, 13}, {REG_R14, 14}, {REG_R15, 15}, {REG_RIP, 16}};
    const struct frame_memory memory = {NULL, read_stack};
    struct frame_registers registers = {{0}};
    ucontext_t here;
    getcontext(&here);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        registers.values[numbers[i][1]] = (uint64_t)here.uc_mcontext.gregs[numbers[i][0]];
    }
    caught_cnt = 0;
    last_step = CALL_FRAME_CALLER;
    for (int depth = 0; depth < 32 && last_step == CALL_FRAME_CALLER; depth++) {
        struct native_location location;
        bool is_signal;
        uint64_t pc = registers.values[FRAME_REGISTER_RIP] - (depth > 0);
        if (!native_code_find(code, pc, &location)) {
            last_step = CALL_FRAME_UNKNOWN;
            return;
        }
        caught[caught_cnt++] = location.function_start;
        last_step = native_code_unwind(code, pc, &memory, &registers, &is_signal);
    }
}

__attribute__((noinline)) static int level_three(int n)
{
    volatile char room[300];
    room[n % 300] = (char)n;
    catch_stack();
    return room[n % 300] + 1;
}

__attribute__((noinline)) static int level_two(int n)
{
    char *room = __builtin_alloca((size_t)(n % 64) + 16); // the frame's size is not constant
    memset(room, n, 16);
    return level_three(n + room[3]) + 1;
}

__attribute__((noinline)) static int level_one(int n)
{
    return level_two(n) * 3;
}

TEST(a_stack_is_unwound_to_its_outermost_frame)
{
    code = native_code_create();
    CHECK(code != NULL);
    volatile int depth = level_one(7);
    (void)depth;
    CHECK(caught_cnt > 6);
    CHECK_UINT(caught[0], (uint64_t)(uintptr_t)catch_stack);
    CHECK_UINT(caught[1], (uint64_t)(uintptr_t)level_three);
    CHECK_UINT(caught[2], (uint64_t)(uintptr_t)level_two);
    CHECK_UINT(caught[3], (uint64_t)(uintptr_t)level_one);
    CHECK_INT(last_step, CALL_FRAME_OUTERMOST);
    native_code_destroy(code);
}

static int compare(const void *a, const void *b)
{
    catch_stack();
    return *(const int *)a - *(const int *)b;
}

TEST(a_stack_leads_through_the_c_library)
{
    int values[] = {3, 1, 2};
    struct native_location location;
    code = native_code_create();
    qsort(values, 3, sizeof values[0], compare);
    CHECK_INT(last_step, CALL_FRAME_OUTERMOST);
    CHECK_UINT(caught[1], (uint64_t)(uintptr_t)compare);
    CHECK(native_code_find(code, caught[2], &location));
    // Under a sanitizer its own function is in between.
    bool is_library = location.file.len > 6 && memcmp(location.file.bytes, "libc.so", 7) == 0;
    CHECK(is_library || caught_cnt > 8);
    native_code_destroy(code);
}

TEST(functions_have_names_and_files)
{
    struct native_location location;
    code = native_code_create();
    CHECK(native_code_find(code, (uint64_t)(uintptr_t)level_one + 2, &location));
    CHECK(text_equal(location.name, TEXT("level_one")));
    CHECK(location.is_named);
    CHECK(text_equal(location.file, TEXT("native_code_test")));
    CHECK(native_code_find(code, (uint64_t)(uintptr_t)getenv, &location));
    CHECK(location.name.len > 0 && location.function_start != 0);
    CHECK(!native_code_find(code, 0x1000, &location));
    int on_the_stack = 0;
    CHECK(!native_code_find(code, (uint64_t)(uintptr_t)&on_the_stack, &location));
    native_code_destroy(code);
    native_code_destroy(NULL);
}

#else

TEST(another_machine)
{
    TEST_SKIP("not x86-64");
}

#endif

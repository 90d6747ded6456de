// SPDX-License-Identifier: Apache-2.0
// The functions of a scheduler's auxiliary work, found in a program that has some of the
// same names: this test.
#include "symbols/beam/aux_work.h"

#include "test.h"

#if defined(__x86_64__)

static struct native_code *native;
static struct aux_work aux;
static volatile int calls;

#define KEPT __attribute__((noinline, used)) static

KEPT void erts_check_async_ready(void)
{
    calls++;
}

KEPT void erts_async_ready_clean(void)
{
    calls += 2;
}

KEPT void erts_check_io(void)
{
    calls += 3;
}

KEPT void update_of_progress(void)
{
    calls += 4;
}

// As compilers end it: with a jump.
__attribute__((naked, used)) static void erts_thr_progress_update(void)
{
    __asm__(".byte 0xe9\n\t.long update_of_progress - . - 4");
}

KEPT void jobs_without_a_name(void)
{
    calls += 5;
    erts_check_async_ready();
    calls += 6;
}

// The loop, with its jobs in it: it is no job.
KEPT void loop_and_jobs(void)
{
    erts_check_io();
    calls += 7;
    erts_async_ready_clean();
    calls += 8;
}

KEPT void loop(void)
{
    calls += 9;
    erts_thr_progress_update();
    calls += 10;
}

static bool has(void (*function)(void))
{
    return aux_work_has(&aux, (uint64_t)(uintptr_t)function);
}

TEST(who_calls_what_only_aux_work_calls_is_aux_work)
{
    native = native_code_create();
    CHECK(native != NULL);
    aux_work_find(&aux, native);
    CHECK(has(erts_check_async_ready));
    CHECK(has(jobs_without_a_name));
    CHECK(has(erts_thr_progress_update));
    CHECK(has(update_of_progress));
    CHECK(!has(loop));
    CHECK(!aux_work_has(&aux, 0));
    native_code_destroy(native);
}

TEST(a_loop_that_does_its_jobs_itself_is_none)
{
    native = native_code_create();
    aux_work_find(&aux, native);
    CHECK(has(erts_async_ready_clean));
    CHECK(!has(loop_and_jobs));
    CHECK(!has(erts_check_io));
    native_code_destroy(native);
}

TEST(a_program_says_where_its_functions_begin)
{
    struct native_text text;
    uint64_t start = 0;
    uint64_t end = 0;
    native = native_code_create();
    CHECK(native_code_program(native, &text));
    CHECK(native_code_program_function(native, "loop_and_jobs", &start, &end));
    CHECK_UINT(start, (uint64_t)(uintptr_t)loop_and_jobs);
    CHECK(end > start && start >= text.address && end <= text.address + text.len);
    CHECK(!native_code_program_function(native, "erts_bump_timers", &start, &end));
    CHECK(native_code_is_function(native, start));
    CHECK(!native_code_is_function(native, start + 1));
    CHECK(!native_code_is_function(native, (uint64_t)(uintptr_t)&calls));
    native_code_destroy(native);
}

#else

TEST(another_machine)
{
    TEST_SKIP("not x86-64");
}

#endif

// SPDX-License-Identifier: Apache-2.0
// The whole test harness: one binary per module, tests in the order they are
// written, one line per test, a closing "N passed, N failed, N skipped".
//
//     #include "test.h"
//
//     TEST(full_table_counts_overflow)
//     {
//         CHECK(table_init(&table, 2));
//         CHECK_INT(table_count(&table), 0);
//         CHECK_STR(table_name(&table, 1), "first");
//     }
//
// There is no list and no main to write. A failed CHECK ends its test, not the
// binary. TEST_SKIP("reason") ends a test that cannot run here; test_dir() is a
// directory that is removed at the end.
//
//     build/test/c/table_test            all tests
//     build/test/c/table_test overflow   those with "overflow" in the name
#ifndef FLAME_PROF_TEST_H
#define FLAME_PROF_TEST_H

#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum test_state { TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

static struct {
    struct test_case *first, **last;
    jmp_buf out;
    enum test_state state;
    char dir[64];
    char why[1024];
} test_run;

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    __attribute__((constructor)) static void test_add_##test_name(void)                            \
    {                                                                                              \
        static struct test_case test_this = {#test_name, test_name, NULL};                         \
        test_add(&test_this);                                                                      \
    }                                                                                              \
    static void test_name(void)

static inline void test_add(struct test_case *add)
{
    if (test_run.last == NULL) {
        test_run.last = &test_run.first;
    }
    *test_run.last = add;
    test_run.last = &add->next;
}

__attribute__((noreturn, format(printf, 4, 5))) static inline void test_end(enum test_state state,
                                                                            const char *file,
                                                                            int line,
                                                                            const char *format, ...)
{
    const char *base = strrchr(file, '/');
    int used = 0;
    va_list args;

    if (state == TEST_FAILED) {
        used =
            snprintf(test_run.why, sizeof(test_run.why), "%s:%d: ", base ? base + 1 : file, line);
    }
    va_start(args, format);
    vsnprintf(test_run.why + used, sizeof(test_run.why) - (size_t)used, format, args);
    va_end(args);
    test_run.state = state;
    longjmp(test_run.out, 1);
}

#define TEST_SKIP(...) test_end(TEST_SKIPPED, __FILE__, __LINE__, __VA_ARGS__)
#define TEST_FAIL(...) test_end(TEST_FAILED, __FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            TEST_FAIL("not true: %s", #condition);                                                 \
    } while (0)

// Signed and unsigned 64 bit values; each operand is evaluated once.
#define CHECK_INT(got, wanted)                                                                     \
    do {                                                                                           \
        int64_t test_got = (int64_t)(got), test_wanted = (int64_t)(wanted);                        \
        if (test_got != test_wanted)                                                               \
            TEST_FAIL("%s is %" PRId64 ", not %" PRId64, #got, test_got, test_wanted);             \
    } while (0)

#define CHECK_UINT(got, wanted)                                                                    \
    do {                                                                                           \
        uint64_t test_got = (uint64_t)(got), test_wanted = (uint64_t)(wanted);                     \
        if (test_got != test_wanted)                                                               \
            TEST_FAIL("%s is %" PRIu64 ", not %" PRIu64, #got, test_got, test_wanted);             \
    } while (0)

#define CHECK_STR(got, wanted)                                                                     \
    do {                                                                                           \
        const char *test_got = (got), *test_wanted = (wanted);                                     \
        if (test_got == NULL || strcmp(test_got, test_wanted) != 0)                                \
            TEST_FAIL("%s is \"%s\", not \"%s\"", #got, test_got ? test_got : "(null)",            \
                      test_wanted);                                                                \
    } while (0)

#define CHECK_HAS(got, part)                                                                       \
    do {                                                                                           \
        const char *test_got = (got), *test_part = (part);                                         \
        if (test_got == NULL || strstr(test_got, test_part) == NULL)                               \
            TEST_FAIL("%s is \"%s\", without \"%s\"", #got, test_got ? test_got : "(null)",        \
                      test_part);                                                                  \
    } while (0)

#define CHECK_MEM(got, wanted, size)                                                               \
    do {                                                                                           \
        const unsigned char *test_got = (const void *)(got),                                       \
                            *test_wanted = (const void *)(wanted);                                 \
        size_t test_size = (size), test_at = 0;                                                    \
        while (test_at < test_size && test_got[test_at] == test_wanted[test_at])                   \
            test_at++;                                                                             \
        if (test_at < test_size)                                                                   \
            TEST_FAIL("%s differs at byte %zu of %zu: %02x, not %02x", #got, test_at, test_size,   \
                      test_got[test_at], test_wanted[test_at]);                                    \
    } while (0)

// A directory of this binary's own, removed when it ends.
static inline const char *test_dir(void)
{
    if (test_run.dir[0] == '\0') {
        snprintf(test_run.dir, sizeof(test_run.dir), "/tmp/flame_prof_test.XXXXXX");
        if (mkdtemp(test_run.dir) == NULL) {
            test_run.dir[0] = '\0';
            TEST_FAIL("cannot make a directory in /tmp");
        }
    }
    return test_run.dir;
}

static inline int test_remove(const char *path, const struct stat *status, int kind,
                              struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    static unsigned count[3];
    static struct test_case *test;
    static const char *const state_name[3] = {"ok  ", "FAIL", "skip"};

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (test = test_run.first; test != NULL; test = test->next) {
        if (argc > 1 && strstr(test->name, argv[1]) == NULL) {
            continue;
        }
        test_run.state = TEST_PASSED;
        test_run.why[0] = '\0';
        if (setjmp(test_run.out) == 0) {
            test->run();
        }
        printf("%s %s%s%s\n", state_name[test_run.state], test->name,
               test_run.why[0] == '\0' ? "" : ": ", test_run.why);
        count[test_run.state]++;
    }
    if (test_run.dir[0] != '\0') {
        nftw(test_run.dir, test_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
    printf("%u passed, %u failed, %u skipped\n", count[TEST_PASSED], count[TEST_FAILED],
           count[TEST_SKIPPED]);
    if (count[TEST_PASSED] + count[TEST_SKIPPED] == 0) {
        fprintf(stderr, "%s: no test ran\n", argv[0]);
        return 1;
    }
    return count[TEST_FAILED] != 0;
}

#endif

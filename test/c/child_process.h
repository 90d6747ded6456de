// SPDX-License-Identifier: Apache-2.0
// For tests of what a process does with its signals, limits and death: a part of
// a test runs in a forked child. A failed CHECK in the child fails the test.
//
//     static void crash(void) { raise(SIGSEGV); }
//     ...
//     int status = child_run(crash);
//     CHECK(WIFSIGNALED(status));
#ifndef FLAME_PROF_TEST_CHILD_PROCESS_H
#define FLAME_PROF_TEST_CHILD_PROCESS_H

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#else
#define UNDER_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#else
#define UNDER_THREAD_SANITIZER 0
#endif

// Sanitizers take SIGSEGV and SIGBUS unless told not to; the tests want what the
// kernel does.
#define SANITIZER_OPTIONS "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1"

__attribute__((visibility("default"), used)) const char *__asan_default_options(void);
__attribute__((visibility("default"), used)) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return SANITIZER_OPTIONS;
}

const char *__tsan_default_options(void)
{
    return SANITIZER_OPTIONS ":die_after_fork=0";
}

// Runs `part` in a child and gives its wait status; a child that returns exits
// with 0.
static inline int child_run(void (*part)(void))
{
    char *why =
        mmap(NULL, sizeof test_run.why, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (why == MAP_FAILED) {
        TEST_FAIL("cannot map a page");
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(120);
        if (setjmp(test_run.out) == 0) {
            part();
            _exit(0);
        }
        memcpy(why, test_run.why, sizeof test_run.why);
        _exit(1);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    char text[sizeof test_run.why - 64];
    snprintf(text, sizeof text, "%s", why);
    munmap(why, sizeof test_run.why);
    if (pid < 0) {
        TEST_FAIL("cannot fork");
    }
    if (text[0] != '\0') {
        TEST_FAIL("in the child: %s", text);
    }
    return status;
}

#define CHECK_CHILD_PASSES(part)                                                                   \
    do {                                                                                           \
        int test_status = child_run(part);                                                         \
        if (!WIFEXITED(test_status) || WEXITSTATUS(test_status) != 0)                              \
            TEST_FAIL("%s: wait status %#x", #part, (unsigned)test_status);                        \
    } while (0)

#define CHECK_CHILD_DIES_BY(part, signal_number)                                                   \
    do {                                                                                           \
        int test_status = child_run(part);                                                         \
        if (!WIFSIGNALED(test_status) || WTERMSIG(test_status) != (signal_number))                 \
            TEST_FAIL("%s: wait status %#x, not death by %s", #part, (unsigned)test_status,        \
                      #signal_number);                                                             \
    } while (0)

#endif

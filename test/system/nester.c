// SPDX-License-Identifier: Apache-2.0
// A process of known stacks, for a build without frame pointers: threads, a callback of
// the C library, recursion that ends in a frame of variable size and one that is
// realigned, a signal handler.
//
//     nester SECONDS      burns SECONDS of CPU in each of its two threads
//
// Every function that is on a stack is listed in unwind_test.sh.
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEVER_INLINE __attribute__((noinline, noclone, noipa))
// Nothing behind a call may become a jump.
#define KEEP_CALL() __asm__ volatile("" ::: "memory")

static volatile double sink;
static double until_s;

static double thread_cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

NEVER_INLINE static double burn(int cnt)
{
    double sum = 0;
    for (int i = 1; i < cnt; i++) {
        sum += 1.0 / i;
    }
    return sum;
}

NEVER_INLINE static double realigned(int cnt)
{
    _Alignas(64) double words[64];
    memset(words, 0, sizeof words);
    __asm__ volatile("" ::"r"(words) : "memory");
    double sum = burn(cnt) + words[cnt & 63];
    KEEP_CALL();
    return sum;
}

NEVER_INLINE static double variable(int cnt)
{
    size_t size = 1 + (size_t)(cnt & 255);
    char *bytes = alloca(size);
    memset(bytes, 1, size);
    __asm__ volatile("" ::"r"(bytes) : "memory");
    double sum = realigned(cnt) + bytes[0];
    KEEP_CALL();
    return sum;
}

NEVER_INLINE static double recurse(int depth)
{
    double sum = depth == 0 ? variable(200000) : recurse(depth - 1) + 1;
    KEEP_CALL();
    return sum;
}

NEVER_INLINE static int compare(const void *a, const void *b)
{
    sink = burn(20000);
    KEEP_CALL();
    return *(const int *)a - *(const int *)b;
}

NEVER_INLINE static void sort(void)
{
    int numbers[16];
    for (int i = 0; i < 16; i++) {
        numbers[i] = i * 7 % 16;
    }
    qsort(numbers, 16, sizeof numbers[0], compare);
    KEEP_CALL();
}

NEVER_INLINE static void on_signal(int number)
{
    (void)number;
    sink = burn(500000);
    KEEP_CALL();
}

NEVER_INLINE static void step(int number)
{
    sink = recurse(number % 40);
    sort();
    (void)raise(SIGUSR1);
    KEEP_CALL();
}

NEVER_INLINE static void work(void)
{
    for (int i = 0; thread_cpu_s() < until_s; i++) {
        step(i);
    }
    KEEP_CALL();
}

NEVER_INLINE static void *thread_main(void *unused)
{
    work();
    KEEP_CALL();
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    until_s = argc > 1 ? atof(argv[1]) : 1;
    (void)signal(SIGUSR1, on_signal);
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0) {
        return 1;
    }
    work();
    (void)pthread_join(thread, NULL);
    return 0;
}

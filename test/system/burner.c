// SPDX-License-Identifier: Apache-2.0
// A process of known stacks and known CPU time, built with frame pointers.
//
//     burner SECONDS [THREADS]   burns SECONDS of CPU per thread in
//                                main > level_one > level_two > level_three > spin
//                                (threads: thread_main > level_one > ...)
//     burner --deep N SECONDS    the same below N frames of recursion
//
// Prints the CPU time it really used, in milliseconds.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NEVER_INLINE __attribute__((noinline, noclone))

static volatile double sink;

// Mentioning the frame makes the compiler set one up, in a leaf as well.
#define KEEP_FRAME() __asm__ volatile("" ::"r"(__builtin_frame_address(0)))

static double thread_cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Some 10 ms, so that asking for the time is not seen in samples.
NEVER_INLINE static void spin(void)
{
    KEEP_FRAME();
    for (int i = 1; i < 2000000; i++) {
        sink = sink + 1.0 / i;
    }
}

NEVER_INLINE static void level_three(void)
{
    KEEP_FRAME();
    spin();
    sink = 0;
}

NEVER_INLINE static void level_two(void)
{
    KEEP_FRAME();
    level_three();
    sink = 0;
}

NEVER_INLINE static void level_one(double until_s)
{
    KEEP_FRAME();
    while (thread_cpu_s() < until_s) {
        level_two();
    }
    sink = 0;
}

NEVER_INLINE static void descend(int depth, double until_s)
{
    KEEP_FRAME();
    if (depth == 0) {
        level_one(until_s);
    } else {
        descend(depth - 1, until_s);
    }
    sink = 0;
}

NEVER_INLINE static void *thread_main(void *until_s)
{
    KEEP_FRAME();
    level_one(*(double *)until_s);
    return NULL;
}

static void print_cpu_time(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("%ld\n", (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                              (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    if (argc == 4 && strcmp(argv[1], "--deep") == 0) {
        descend(atoi(argv[2]), atof(argv[3]));
        print_cpu_time();
        return 0;
    }
    double until_s = argc > 1 ? atof(argv[1]) : 1;
    int thread_cnt = argc > 2 ? atoi(argv[2]) : 1;
    for (int i = 1; i < thread_cnt && i < 64; i++) {
        if (pthread_create(&threads[i], NULL, thread_main, &until_s) != 0) {
            return 1;
        }
    }
    level_one(until_s);
    for (int i = 1; i < thread_cnt && i < 64; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    print_cpu_time();
    return 0;
}

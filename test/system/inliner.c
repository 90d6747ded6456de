// SPDX-License-Identifier: Apache-2.0
// A process whose time goes to functions that are inlined into others, to a known depth:
//
//     inliner SECONDS     of CPU
//
// three deep in work_three, one of them again, alone, in work_one.
#include <stdlib.h>
#include <time.h>

#define ALWAYS_INLINE __attribute__((always_inline)) static inline
#define NEVER_INLINE __attribute__((noinline))

static volatile double sink;
static volatile int how_many = 2000;

ALWAYS_INLINE double innermost(int cnt)
{
    double sum = 0;
    __asm__ volatile("" : "+r"(cnt)); // it must be worked out anew
    for (int i = 1; i < cnt; i++) {
        sum += 1.0 / i;
    }
    return sum;
}

ALWAYS_INLINE double middle(int cnt)
{
    return innermost(cnt) + 1;
}

ALWAYS_INLINE double outer(int cnt)
{
    return middle(cnt * 2) / 3;
}

NEVER_INLINE static double work_three(int cnt)
{
    return outer(cnt) + cnt;
}

NEVER_INLINE static double work_one(int cnt)
{
    return innermost(cnt) * cnt;
}

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double until_s = argc > 1 ? strtod(argv[1], NULL) : 1;
    while (cpu_s() < until_s) {
        for (int i = 0; i < 100; i++) {
            sink = work_three(how_many) + work_one(how_many);
        }
    }
    return 0;
}

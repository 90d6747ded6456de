// SPDX-License-Identifier: Apache-2.0
// Does this machine run what is ready to run? A thread on each CPU wakes up every few
// milliseconds, and is late when others have the CPU, or the hypervisor has it.
//
//     heart                      beats until SIGTERM, then prints how late a beat was at most,
//                                all that beats were late on the worst CPU, and for how long
//                                it has beaten, in milliseconds
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { BEAT_MS = 5, LATE_MS = 10, MAX_CPUS = 256 };

struct beat {
    int cpu;
    _Atomic int64_t last_ms;
    _Atomic int64_t longest_ms;
    _Atomic int64_t all_ms;
};

static struct beat beats[MAX_CPUS];

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note(struct beat *beat, int64_t late_ms)
{
    beat->longest_ms = late_ms > beat->longest_ms ? late_ms : beat->longest_ms;
    beat->all_ms += late_ms > LATE_MS ? late_ms : 0;
}

static void *keep_beating(void *context)
{
    const struct timespec pause = {0, BEAT_MS * 1000000};
    struct beat *beat = context;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(beat->cpu, &only);
    (void)pthread_setaffinity_np(pthread_self(), sizeof only, &only);
    for (;;) {
        (void)nanosleep(&pause, NULL);
        int64_t ms = now_ms();
        note(beat, ms - beat->last_ms - BEAT_MS);
        beat->last_ms = ms;
    }
    return NULL;
}

int main(void)
{
    int cnt = 0;
    int number;
    cpu_set_t all;
    sigset_t term;
    pthread_t thread;
    int64_t began_ms = now_ms();
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &term, NULL);
    (void)sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            beats[cnt] = (struct beat){.cpu = cpu, .last_ms = now_ms()};
            cnt += pthread_create(&thread, NULL, keep_beating, &beats[cnt]) == 0;
        }
    }
    (void)sigwait(&term, &number);
    int64_t ended_ms = now_ms();
    int64_t longest_ms = 0;
    int64_t most_ms = 0;
    for (int i = 0; i < cnt; i++) {
        note(&beats[i], ended_ms - beats[i].last_ms - BEAT_MS); // what has not come yet
        longest_ms = beats[i].longest_ms > longest_ms ? beats[i].longest_ms : longest_ms;
        most_ms = beats[i].all_ms > most_ms ? beats[i].all_ms : most_ms;
    }
    printf("%lld %lld %lld\n", (long long)longest_ms, (long long)most_ms,
           (long long)(ended_ms - began_ms));
    return 0;
}

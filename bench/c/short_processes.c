// SPDX-License-Identifier: Apache-2.0
// Processes of a millisecond or two, many a second.
//
//   short_processes PROGRAM RATE SECONDS    starts so many a second, 64 at once at most,
//                                           and prints how many it came to
//   short_processes                         one of them: sorts, and ends
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_AT_ONCE = 64, NUMBERS = 400, ROUNDS = 40, PAUSE_US = 200 };

extern char **environ;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static int sort_once(int seed)
{
    int numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = (i + seed) * 7919 % 401;
    }
    qsort(numbers, NUMBERS, sizeof numbers[0], compare);
    return numbers[seed % NUMBERS];
}

static int work(void)
{
    int sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        sum += sort_once(i);
    }
    return sum < 0;
}

static int reap(int running)
{
    int status;
    while (running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
        running--;
    }
    return running;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return work();
    }
    double rate = atof(argv[2]);
    double start_s = now_s();
    double end_s = start_s + atof(argv[3]);
    char *const child[] = {argv[1], NULL};
    long cnt = 0;
    int running = 0;
    for (double at_s = start_s; at_s < end_s; at_s = now_s()) {
        pid_t pid;
        running = reap(running);
        if ((double)cnt >= (at_s - start_s) * rate || running == MAX_AT_ONCE) {
            (void)usleep(PAUSE_US);
        } else if (posix_spawn(&pid, argv[1], NULL, NULL, child, environ) == 0) {
            running++;
            cnt++;
        }
    }
    while (running > 0 && wait(NULL) > 0) {
        running--;
    }
    printf("%.0f\n", (double)cnt / (now_s() - start_s));
    return 0;
}

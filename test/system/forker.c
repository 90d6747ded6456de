// SPDX-License-Identifier: Apache-2.0
// Children that begin 40 KiB deep in the stack, work for some milliseconds and are gone.
//
//     forker CHILDREN MILLISECONDS
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile double sink;

__attribute__((noinline)) static void child_work(double seconds)
{
    struct timespec now;
    do {
        for (int i = 1; i < 1000; i++) {
            sink = sink + 1.0 / i;
        }
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < seconds);
}

__attribute__((noinline)) static void make_child(double seconds)
{
    pid_t child = fork();
    if (child == 0) {
        child_work(seconds);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

__attribute__((noinline)) static void deep(int levels, int children, double seconds)
{
    char room[4096];
    memset(room, levels, sizeof room);
    if (levels > 0) {
        deep(levels - 1, children, seconds);
    } else {
        for (int i = 0; i < children; i++) {
            make_child(seconds);
        }
    }
    sink = sink + room[levels];
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    deep(10, atoi(argv[1]), atof(argv[2]) / 1e3);
    return 0;
}

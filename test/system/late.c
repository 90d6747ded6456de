// SPDX-License-Identifier: Apache-2.0
// A program and, built with -DLIBRARY, a library that it loads when it has run for a while,
// deletes, and works in until it is gone.
//
//     late LIBRARY SECONDS LATE_SECONDS
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double late_work(double seconds);

__attribute__((noinline)) static double spin(double seconds)
{
    struct timespec now;
    volatile double sum = 0;
    do {
        for (int i = 1; i < 100000; i++) {
            sum = sum + 1.0 / i;
        }
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < seconds);
    return sum;
}

#ifdef LIBRARY
double late_work(double seconds)
{
    return spin(seconds) + 1;
}
#else
int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    double seconds = atof(argv[2]);
    double sum = spin(seconds);
    void *library = dlopen(argv[1], RTLD_NOW);
    double (*work)(double) = NULL;
    if (library != NULL) {
        *(void **)&work = dlsym(library, "late_work");
    }
    if (work == NULL || unlink(argv[1]) != 0) {
        (void)fprintf(stderr, "late: %s\n", dlerror());
        return 1;
    }
    (void)printf("%f\n", sum + work(seconds + atof(argv[3])));
    return 0;
}
#endif

// SPDX-License-Identifier: Apache-2.0
// Linked with --wrap=malloc and its kin (Makefile), into the port's program only.
#include "cli/port_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOWEST_PRIORITY = 19, WATCHER_STACK_BYTES = 128 << 10 };

static atomic_bool ran_out;
static const char *_Atomic unfinished;

// --- memory ---------------------------------------------------------------------

// NOLINTBEGIN(readability-identifier-naming): what the linker calls them
void *__real_malloc(size_t len);
void *__real_calloc(size_t cnt, size_t len);
void *__real_realloc(void *bytes, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t cnt, size_t len);
void *__wrap_realloc(void *bytes, size_t len);

static void *noted(void *bytes)
{
    if (bytes == NULL) {
        atomic_store(&ran_out, true);
    }
    return bytes;
}

void *__wrap_malloc(size_t len)
{
    return noted(__real_malloc(len == 0 ? 1 : len));
}

void *__wrap_calloc(size_t cnt, size_t len)
{
    return noted(__real_calloc(cnt == 0 ? 1 : cnt, len == 0 ? 1 : len));
}

void *__wrap_realloc(void *bytes, size_t len)
{
    return noted(__real_realloc(bytes, len == 0 ? 1 : len));
}
// NOLINTEND(readability-identifier-naming)

bool port_guard_ran_out(void)
{
    return atomic_load(&ran_out);
}

#if defined(__SANITIZE_ADDRESS__)
void port_guard_limit_memory(uint64_t max_bytes)
{
    (void)max_bytes;
}
#else
// Of addresses, in bytes.
static uint64_t size_now(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%llu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void port_guard_limit_memory(uint64_t max_bytes)
{
    struct rlimit limit;
    (void)mallopt(M_ARENA_MAX, 1); // another reserves 64 MiB of addresses
    if (getrlimit(RLIMIT_AS, &limit) == 0) {
        rlim_t wanted = (rlim_t)(size_now() + max_bytes);
        if (limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max) {
            limit.rlim_cur = limit.rlim_max = wanted;
            (void)setrlimit(RLIMIT_AS, &limit);
        }
    }
}
#endif

// --- priority -------------------------------------------------------------------

static void be_killed_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t put = write(fd, "1000", 4);
        (void)put; // without it, the kernel decides
        (void)close(fd);
    }
}

void port_guard_step_back(void)
{
    const struct rlimit no_core = {0, 0};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
    be_killed_first();
}

// --- the port's end -------------------------------------------------------------

static void *watch(void *context)
{
    int fd = *(int *)context;
    char byte = 0;
    ssize_t got = 0;
    do { // nothing is sent behind the request
        got = read(fd, &byte, 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    const char *path = atomic_load(&unfinished);
    if (path != NULL) {
        (void)unlink(path);
    }
    _exit(1);
}

bool port_guard_watch(int fd, struct error *err)
{
    static int watched;
    pthread_t thread;
    pthread_attr_t attributes;
    watched = fd;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, WATCHER_STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failure = pthread_create(&thread, &attributes, watch, &watched);
    (void)pthread_attr_destroy(&attributes);
    return failure == 0 || error_os(err, failure, "a thread");
}

void port_guard_unfinished(const char *path)
{
    atomic_store(&unfinished, path);
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/scheduler_threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMM_BYTES = 32 };

static bool parse_number(const char *text, const char **end_ret, uint32_t *no_ret)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || number == 0 || number > UINT16_MAX) {
        return false;
    }
    *end_ret = end;
    *no_ret = (uint32_t)number;
    return true;
}

static bool parse_after(const char *comm, const char *prefix, uint32_t *no_ret)
{
    const char *end;
    size_t len = strlen(prefix);
    return strncmp(comm, prefix, len) == 0 && parse_number(comm + len, &end, no_ret) &&
           *end == '\0';
}

static bool parse_before(const char *comm, const char *infix, uint32_t *no_ret)
{
    const char *rest;
    return comm[0] >= '1' && comm[0] <= '9' && parse_number(comm, &rest, no_ret) &&
           strncmp(rest, infix, strlen(infix)) == 0;
}

bool scheduler_thread_parse(const char *comm, struct scheduler_thread *thread_ret)
{
    static const struct {
        const char *prefix; // OTP 26 on
        const char *infix;  // OTP 25
        enum scheduler_kind kind;
    } NAMES[] = {
        {"erts_sched_", "_scheduler", SCHEDULER_NORMAL},
        {"erts_dcpus_", "_dirty_cpu_", SCHEDULER_DIRTY_CPU},
        {"erts_dios_", "_dirty_io_", SCHEDULER_DIRTY_IO},
    };
    uint32_t no = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (parse_after(comm, NAMES[i].prefix, &no) || parse_before(comm, NAMES[i].infix, &no)) {
            *thread_ret = (struct scheduler_thread){.kind = NAMES[i].kind, .no = no};
            return true;
        }
    }
    return false;
}

static bool read_comm(const char *tid, char comm[COMM_BYTES])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false; // it has ended
    }
    ssize_t len = read(fd, comm, COMM_BYTES - 1);
    (void)close(fd);
    if (len <= 0) {
        return false;
    }
    comm[len - (comm[len - 1] == '\n')] = '\0';
    return true;
}

uint32_t scheduler_threads_list(struct scheduler_thread *threads, uint32_t max_cnt)
{
    DIR *directory = opendir("/proc/self/task");
    uint32_t cnt = 0;
    const struct dirent *entry;
    // Nobody else reads this stream.
    while (directory != NULL && cnt < max_cnt &&
           (entry = readdir(directory)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        char comm[COMM_BYTES];
        int32_t tid = (int32_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0 && read_comm(entry->d_name, comm) &&
            scheduler_thread_parse(comm, &threads[cnt])) {
            threads[cnt++].tid = tid;
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return cnt;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/exit_watch.h"

#include "sampler.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

_Static_assert((int)EXIT_WATCH_MAX == (int)SAMPLER_MAX_EXITS, "one place per name");
_Static_assert((int)EXIT_COMM_BYTES == (int)SAMPLER_COMM_BYTES, "names of one size");

enum { EXITS_BYTES = EXIT_WATCH_MAX * sizeof(struct sampler_exit) };

bool exit_watch_open(struct exit_watch *watch, int names_fd, int exits_fd,
                     const char (*names)[EXIT_COMM_BYTES], uint32_t cnt, struct error *err)
{
    void *at = mmap(NULL, EXITS_BYTES, PROT_READ, MAP_SHARED, exits_fd, 0);
    if (at == MAP_FAILED) {
        return error_os(err, errno, "map the notices of processes that end");
    }
    watch->exits = at;
    for (uint32_t i = 0; i < cnt; i++) {
        int result = bpf_map_update_elem(names_fd, names[i], &i, BPF_ANY);
        if (result != 0) {
            return error_os(err, -result, "watch processes named %s", names[i]);
        }
    }
    return true;
}

void exit_watch_close(struct exit_watch *watch)
{
    if (watch->exits != NULL) {
        (void)munmap((void *)watch->exits, EXITS_BYTES);
        watch->exits = NULL;
    }
}

struct exit_notice exit_watch_read(const struct exit_watch *watch, uint32_t i)
{
    const volatile struct sampler_exit *ended = &watch->exits[i];
    return (struct exit_notice){
        .cnt = ended->cnt, .time_ns = ended->time_ns, .pid = ended->pid, .status = ended->status};
}

const char *exit_notice_text(uint32_t status, char *text, uint32_t text_bytes)
{
    int how = (int)status;
    if (WIFEXITED(how)) {
        (void)snprintf(text, text_bytes, "exited with %d", WEXITSTATUS(how));
    } else {
        (void)snprintf(text, text_bytes, "killed by signal %d", WTERMSIG(how));
    }
    return text;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_tasks.h"

#include "capture/system/tid_set.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// A growing array; what does not fit memory is left out.
struct ids {
    uint32_t *at;
    uint32_t cnt;
    uint32_t capacity;
};

struct perf_tasks {
    struct tid_set known;   // that have events, their own or inherited
    struct tid_set waiting; // seen once
    struct ids waiting_ids;
    struct ids found;
    struct ids fds;
    uint32_t task_cnt;
    uint32_t refused_cnt;
};

// What to open for one thread.
struct attachment {
    const struct perf_stream *streams;
    uint32_t stream_cnt;
    const uint64_t *periods;
    const struct perf_event_wish *wish;
};

static bool add_id(struct ids *ids, uint32_t id)
{
    if (ids->cnt == ids->capacity) {
        uint32_t capacity = ids->capacity == 0 ? 256 : 2 * ids->capacity;
        uint32_t *at = realloc(ids->at, capacity * sizeof *at);
        if (at == NULL) {
            return false;
        }
        ids->at = at;
        ids->capacity = capacity;
    }
    ids->at[ids->cnt++] = id;
    return true;
}

struct perf_tasks *perf_tasks_create(void)
{
    return calloc(1, sizeof(struct perf_tasks));
}

void perf_tasks_destroy(struct perf_tasks *tasks)
{
    if (tasks == NULL) {
        return;
    }
    for (uint32_t i = 0; i < tasks->fds.cnt; i++) {
        (void)close((int)tasks->fds.at[i]);
    }
    free(tasks->fds.at);
    free(tasks->found.at);
    free(tasks->waiting_ids.at);
    free(tasks);
}

// --- what there is ----------------------------------------------------------------------

static void find_threads(struct perf_tasks *tasks, uint32_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *directory = opendir(path);
    for (const struct dirent *entry = NULL;
         directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0]) != 0) {
            (void)add_id(&tasks->found, (uint32_t)strtoul(entry->d_name, NULL, 10));
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

static bool is_ours(const char *pid)
{
    char path[300];
    struct stat status;
    (void)snprintf(path, sizeof path, "/proc/%s", pid);
    return stat(path, &status) == 0 && status.st_uid == geteuid();
}

static void find_all(struct perf_tasks *tasks, uint32_t excluded_pid)
{
    DIR *proc = opendir("/proc");
    for (const struct dirent *entry = NULL; proc != NULL && (entry = readdir(proc)) != NULL;) {
        uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (pid != 0 && pid != excluded_pid && is_ours(entry->d_name)) {
            find_threads(tasks, pid);
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
}

// --- giving events ------------------------------------------------------------------------

static void drop_fds(struct perf_tasks *tasks, uint32_t from)
{
    for (uint32_t i = from; i < tasks->fds.cnt; i++) {
        (void)close((int)tasks->fds.at[i]);
    }
    tasks->fds.cnt = from;
}

static bool open_one(struct perf_tasks *tasks, uint32_t tid, const struct perf_stream *stream,
                     const struct attachment *attachment)
{
    struct perf_event_wish wish = *attachment->wish;
    wish.event = stream->event;
    wish.period = attachment->periods[stream->event];
    wish.cpu = stream->cpu;
    wish.tid = (pid_t)tid;
    wish.tells_tasks = stream->event == attachment->wish->event;
    int fd = perf_event_open_sampling(&wish);
    if (fd >= 0 && perf_event_send_to(fd, stream->owner_fd) && add_id(&tasks->fds, (uint32_t)fd)) {
        return true;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return false;
}

// All or nothing.
static void attach(struct perf_tasks *tasks, uint32_t tid, const struct attachment *attachment)
{
    uint32_t before = tasks->fds.cnt;
    bool ok = true;
    for (uint32_t i = 0; i < attachment->stream_cnt && ok; i++) {
        const struct perf_stream *stream = &attachment->streams[i];
        ok = !perf_stream_is_open(stream) || open_one(tasks, tid, stream, attachment);
    }
    if (ok) {
        tid_set_add(&tasks->known, tid);
        tasks->task_cnt++;
        return;
    }
    tasks->refused_cnt += errno == EMFILE || errno == ENFILE ? 1 : 0;
    drop_fds(tasks, before);
}

// Those found for the first time are kept for the next look.
static void attach_found(struct perf_tasks *tasks, bool is_first,
                         const struct attachment *attachment)
{
    struct ids waiting = {0};
    tasks->refused_cnt = 0;
    for (uint32_t i = 0; i < tasks->found.cnt; i++) {
        uint32_t tid = tasks->found.at[i];
        if (tid_set_has(&tasks->known, tid)) {
            continue;
        }
        if (is_first || tid_set_has(&tasks->waiting, tid)) {
            attach(tasks, tid, attachment);
        } else {
            (void)add_id(&waiting, tid);
        }
    }
    for (uint32_t i = 0; i < tasks->waiting_ids.cnt; i++) {
        tid_set_remove(&tasks->waiting, tasks->waiting_ids.at[i]);
    }
    for (uint32_t i = 0; i < waiting.cnt; i++) {
        tid_set_add(&tasks->waiting, waiting.at[i]);
    }
    free(tasks->waiting_ids.at);
    tasks->waiting_ids = waiting;
}

void perf_tasks_follow(struct perf_tasks *tasks, const uint32_t *pids, uint32_t pid_cnt,
                       uint32_t excluded_pid, const struct perf_stream *streams,
                       uint32_t stream_cnt, const uint64_t *periods,
                       const struct perf_event_wish *wish)
{
    const struct attachment attachment = {streams, stream_cnt, periods, wish};
    tasks->found.cnt = 0;
    for (uint32_t i = 0; i < pid_cnt; i++) {
        find_threads(tasks, pids[i]);
    }
    if (pids == NULL) {
        find_all(tasks, excluded_pid);
    }
    attach_found(tasks, tasks->task_cnt == 0, &attachment);
}

// --- records --------------------------------------------------------------------------------

struct fork_record {
    struct perf_event_header header;
    uint32_t pid, parent_pid;
    uint32_t tid, parent_tid;
};

void perf_tasks_take(struct perf_tasks *tasks, const struct perf_event_header *record, size_t len)
{
    const struct fork_record *fork = (const struct fork_record *)record;
    if (len < sizeof *fork) {
        return;
    }
    if (record->type == PERF_RECORD_FORK) {
        tid_set_add(&tasks->known, fork->tid);
    } else if (record->type == PERF_RECORD_EXIT) {
        tid_set_remove(&tasks->known, fork->tid);
    }
}

uint32_t perf_tasks_count(const struct perf_tasks *tasks)
{
    return tasks->task_cnt;
}

uint32_t perf_tasks_refused(const struct perf_tasks *tasks)
{
    return tasks->refused_cnt;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/task_table.h"

#include "base/clock.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Counters change all the time; to be a second late costs a tenth of the readings.
#define READ_AGAIN_NS (1ULL * CLOCK_NS_PER_S)

// A task has its place in one of a few, the one used longest ago is given away.
enum { WAYS = 4 };

struct task_table {
    struct task tasks[TASK_TABLE_MAX_TASKS];
    uint64_t uses;
    uint64_t programs;     // told apart so far
    uint64_t ns_per_clock; // of /proc/PID/stat
};

struct task_table *task_table_create(void)
{
    struct task_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        long per_s = sysconf(_SC_CLK_TCK);
        table->ns_per_clock = CLOCK_NS_PER_S / (per_s > 0 ? (uint64_t)per_s : 100);
    }
    return table;
}

void task_table_destroy(struct task_table *table)
{
    free(table);
}

// --- /proc ----------------------------------------------------------------------------

// Of a thread; false when it is gone or not ours to see.
static bool read_file(const struct task *task, const char *name, char *text, size_t text_bytes)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%u/task/%u/%s", task->pid, task->tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, text_bytes - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

// The fields behind the name, which may hold anything: 10 and 12 are faults, 22 the start.
static void read_stat(const struct task_table *table, struct task *task)
{
    char text[1024];
    unsigned long long minor = 0;
    unsigned long long major = 0;
    unsigned long long start = 0;
    if (!read_file(task, "stat", text, sizeof text)) {
        return;
    }
    const char *fields = strrchr(text, ')');
    if (fields != NULL &&
        sscanf(fields,
               ") %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu %*u %*u %*u %*d %*d %*d %*d "
               "%*d %*d %llu",
               &minor, &major, &start) == 3) {
        task->minor_faults = minor;
        task->major_faults = major;
        task->start_ns = start * table->ns_per_clock;
    }
}

static bool find_number(const char *text, const char *key, unsigned long long *number)
{
    const char *at = strstr(text, key);
    return at != NULL && sscanf(at + strlen(key), "%llu", number) == 1;
}

static void read_status(struct task *task)
{
    char text[4096];
    unsigned long long number = 0;
    if (!read_file(task, "status", text, sizeof text)) {
        return;
    }
    if (find_number(text, "\nUid:", &number)) {
        task->user = (uint32_t)number;
        task->has_user = true;
    }
    if (find_number(text, "\nvoluntary_ctxt_switches:", &number)) {
        task->voluntary_switches = number;
    }
    if (find_number(text, "\nnonvoluntary_ctxt_switches:", &number)) {
        task->involuntary_switches = number;
    }
}

static void read_cpu_time(struct task *task)
{
    char text[128];
    unsigned long long cpu_ns = 0;
    if (read_file(task, "schedstat", text, sizeof text) && sscanf(text, "%llu", &cpu_ns) == 1) {
        task->cpu_ns = cpu_ns;
    }
}

static void read_comm(struct task *task)
{
    char text[SYSTEM_COMM_BYTES + 1];
    if (read_file(task, "comm", text, sizeof text)) {
        text[strcspn(text, "\n")] = '\0';
        (void)snprintf(task->comm, sizeof task->comm, "%.*s", SYSTEM_COMM_BYTES - 1, text);
    }
}

// --- the table --------------------------------------------------------------------------

static struct task *set_of(struct task_table *table, uint32_t tid)
{
    return &table->tasks[(size_t)(tid % (TASK_TABLE_MAX_TASKS / WAYS)) * WAYS];
}

static struct task *find(struct task_table *table, uint32_t tid)
{
    struct task *set = set_of(table, tid);
    for (int i = 0; i < WAYS; i++) {
        if (tid != 0 && set[i].tid == tid) {
            set[i].used_at = ++table->uses;
            return &set[i];
        }
    }
    return NULL;
}

// Its own, or the one used longest ago.
static struct task *place_of(struct task_table *table, uint32_t tid)
{
    struct task *set = set_of(table, tid);
    struct task *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].tid == tid) {
            return &set[i];
        }
        oldest = set[i].used_at < oldest->used_at ? &set[i] : oldest;
    }
    return oldest;
}

static struct task *begin(struct task_table *table, uint32_t pid, uint32_t tid)
{
    struct task *task = place_of(table, tid);
    *task = (struct task){
        .tid = tid,
        .pid = pid,
        .program = ++table->programs,
        .used_at = ++table->uses,
    };
    return task;
}

struct task *task_table_thread(struct task_table *table, uint32_t pid, uint32_t tid,
                               uint64_t now_ns)
{
    struct task *task = find(table, tid);
    if (task == NULL) {
        task = begin(table, pid, tid);
    }
    if (task->comm[0] == '\0') {
        read_comm(task);
    }
    if (task->read_ns == 0 || now_ns - task->read_ns >= READ_AGAIN_NS) {
        task->read_ns = now_ns;
        read_stat(table, task);
        read_status(task);
        read_cpu_time(task);
    }
    return task;
}

struct task *task_table_process(struct task_table *table, uint32_t pid)
{
    struct task *task = find(table, pid);
    return task != NULL ? task : begin(table, pid, pid);
}

// --- records ------------------------------------------------------------------------------

struct comm_record {
    struct perf_event_header header;
    uint32_t pid, tid;
    char comm[];
};

struct fork_record {
    struct perf_event_header header;
    uint32_t pid, parent_pid;
    uint32_t tid, parent_tid;
};

static void take_comm(struct task_table *table, const struct comm_record *record, size_t len)
{
    bool is_exec = (record->header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
    size_t room = len - offsetof(struct comm_record, comm);
    struct task *task = find(table, record->tid);
    if (is_exec || task == NULL) {
        task = begin(table, record->pid, record->tid);
    }
    (void)snprintf(task->comm, sizeof task->comm, "%.*s", (int)strnlen(record->comm, room),
                   record->comm);
}

static void take_fork(struct task_table *table, const struct fork_record *record)
{
    const struct task *parent = find(table, record->parent_tid);
    char comm[SYSTEM_COMM_BYTES] = "";
    if (parent != NULL) {
        memcpy(comm, parent->comm, sizeof comm);
    }
    struct task *task = begin(table, record->pid, record->tid);
    memcpy(task->comm, comm, sizeof comm);
}

void task_table_take(struct task_table *table, const void *record, size_t len)
{
    const struct perf_event_header *header = record;
    if (header->type == PERF_RECORD_COMM && len > sizeof(struct comm_record)) {
        take_comm(table, record, len);
    } else if (header->type == PERF_RECORD_FORK && len >= sizeof(struct fork_record)) {
        take_fork(table, record);
    }
}

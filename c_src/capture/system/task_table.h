// SPDX-License-Identifier: Apache-2.0
// Threads and processes as sampling without BPF has to know them: what /proc says of
// their counters, and what the kernel's records say of their names and programs.
// Bounded: those not used for longest give way, and are read anew.
// One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_TASK_TABLE_H
#define FLAME_PROF_CAPTURE_SYSTEM_TASK_TABLE_H

#include "capture/system/system_sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TASK_TABLE_MAX_TASKS = 1 << 15 };

struct task {
    uint32_t tid; // 0 = free
    uint32_t pid;
    uint64_t used_at;  // a count that rises with every use
    uint64_t read_ns;  // CLOCK_MONOTONIC of the last reading; 0 = never
    uint64_t program;  // of a process: another number for another program; never 0
    uint64_t start_ns; // as the four below: 0 when it could not be read
    uint64_t cpu_ns;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t minor_faults;
    uint64_t major_faults;
    uint32_t user; // real user id
    bool has_user;
    bool is_judged; // of a process: the owner's, false when new
    bool passes;    // the owner's
    char comm[SYSTEM_COMM_BYTES];
};

struct task_table;

struct task_table *task_table_create(void);
void task_table_destroy(struct task_table *table);

// A thread, with counters that are not older than a second where /proc can be read. Valid
// until the next call.
struct task *task_table_thread(struct task_table *table, uint32_t pid, uint32_t tid,
                               uint64_t now_ns);

// A process; its counters may be as old as it is.
struct task *task_table_process(struct task_table *table, uint32_t pid);

// Takes PERF_RECORD_COMM and FORK, as perf_event_open(2) has them; others change
// nothing.
void task_table_take(struct task_table *table, const void *record, size_t len);

#endif

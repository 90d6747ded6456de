// SPDX-License-Identifier: Apache-2.0
// Threads that have perf events of their own, where no CPU may be sampled as a whole. What
// a thread creates inherits its events; it is known by the kernel's records, so that no
// thread is ever sampled twice. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_TASKS_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_TASKS_H

#include "capture/system/perf_event.h"
#include "capture/system/perf_stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_tasks;

struct perf_tasks *perf_tasks_create(void);
// Ends sampling. NULL is fine.
void perf_tasks_destroy(struct perf_tasks *tasks);

// Gives every thread of these processes, or with `pids` NULL of all our user's, an event
// per stream. `wish` has all but thread, CPU and event. A thread that shows up later gets
// its own only when it is there a second time: meanwhile a record has told whether it
// inherited some.
void perf_tasks_follow(struct perf_tasks *tasks, const uint32_t *pids, uint32_t pid_cnt,
                       uint32_t excluded_pid, const struct perf_stream *streams,
                       uint32_t stream_cnt, const uint64_t *periods,
                       const struct perf_event_wish *wish);

// Takes PERF_RECORD_FORK and EXIT; others change nothing.
void perf_tasks_take(struct perf_tasks *tasks, const struct perf_event_header *record, size_t len);

// Threads that have events, and threads that could not get any for want of open files.
uint32_t perf_tasks_count(const struct perf_tasks *tasks);
uint32_t perf_tasks_refused(const struct perf_tasks *tasks);

#endif

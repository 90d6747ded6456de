// SPDX-License-Identifier: Apache-2.0
// The selected rows by thread (or Erlang process), in the order of time in each. One
// owner.
#ifndef FLAME_PROF_EXPORT_THREAD_ROWS_H
#define FLAME_PROF_EXPORT_THREAD_ROWS_H

#include "query/selection.h"

struct thread_rows_thread {
    uint32_t pid_code; // of the dimensions; 0 = unknown
    uint32_t tid_code;
    bool is_rest; // all those beyond the limit
    uint64_t first;
    uint64_t cnt; // rows
};

struct thread_rows {
    const struct profile *profile;      // borrowed
    struct thread_rows_thread *threads; // those with more rows first
    uint32_t cnt;
    uint32_t capacity;
    uint64_t *rows; // [thread.first + i]: numbers of rows
};

// At most `max_threads` (> 0), those with most rows; the last one holds all others. False
// when out of memory; _deinit is harmless either way.
bool thread_rows_init(struct thread_rows *rows, const struct selection *selection,
                      uint32_t max_threads);
void thread_rows_deinit(struct thread_rows *rows);

int64_t thread_rows_pid(const struct thread_rows *rows, const struct thread_rows_thread *thread);
int64_t thread_rows_tid(const struct thread_rows *rows, const struct thread_rows_thread *thread);

// What to call it: its registered name, initial call, thread name; or its number, into
// `digits`.
enum { THREAD_ROWS_NAME_BYTES = 48 };
struct text thread_rows_name(const struct thread_rows *rows,
                             const struct thread_rows_thread *thread,
                             char digits[THREAD_ROWS_NAME_BYTES]);

#endif

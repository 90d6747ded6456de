// SPDX-License-Identifier: Apache-2.0
// A thread of ours in somebody else's process: takes none of its signals, has a
// name of its own, and is woken soon although every CPU is busy.
#ifndef FLAME_PROF_BASE_QUIET_THREAD_H
#define FLAME_PROF_BASE_QUIET_THREAD_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

// Starts a joinable thread with every signal blocked but SIGSEGV and SIGBUS, which
// guarded loads need. `name` has at most 15 characters. A thread that is not named
// keeps its creator's name, and is then taken for a scheduler.
bool quiet_thread_start(pthread_t *thread_ret, const char *name, void *(*run)(void *context),
                        void *context, struct error *err);

// Called by the thread itself. From Linux 6.12 a thread may ask for short slices
// without any right: it gets less at a time, but sooner (EEVDF,
// Documentation/scheduler/sched-eevdf.rst). Older kernels refuse or ignore it.
void quiet_thread_ask_for_short_slices(void);

#endif

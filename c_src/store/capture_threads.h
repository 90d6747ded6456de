// SPDX-License-Identifier: Apache-2.0
// What a column knows of each thread: the number of its last row, in this chunk or in
// one before. CAPTURE_SLOTS of them at most: threads whose codes share a slot push each
// other out, in a writer as in a reader. One owner, one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_THREADS_H
#define FLAME_PROF_STORE_CAPTURE_THREADS_H

#include "store/capture_format.h"

#include <stdbool.h>
#include <stdint.h>

struct capture_thread {
    int64_t last;
    uint32_t owner; // code + 1; 0 = nobody
};

// Of one column. A zeroed struct knows nothing.
struct capture_threads {
    struct capture_thread *slots; // NULL: not needed so far
};

void capture_threads_deinit(struct capture_threads *threads);

// Makes room; false when out of memory.
bool capture_threads_reserve(struct capture_threads *threads);

void capture_threads_forget(struct capture_threads *threads);

static inline struct capture_thread *capture_threads_slot(struct capture_threads *threads,
                                                          int64_t code)
{
    return &threads->slots[(uint64_t)code % CAPTURE_SLOTS];
}

// 0 where nothing is known.
static inline int64_t capture_thread_last(const struct capture_thread *slot, int64_t code)
{
    return slot->owner == (uint32_t)code + 1 ? slot->last : 0;
}

static inline void capture_thread_learn(struct capture_thread *slot, int64_t code, int64_t value)
{
    *slot = (struct capture_thread){value, (uint32_t)code + 1};
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Processes whose dictionary a signal handler has read, on whichever scheduler: it is in no
// cache mostly, and whoever takes the samples remembers what was in it, and looks again.
// Those that need the same place take it from each other, and are read once more.
// Any number of threads; async-signal-safe.
#ifndef FLAME_PROF_CAPTURE_BEAM_SEEN_PROCESSES_H
#define FLAME_PROF_CAPTURE_BEAM_SEEN_PROCESSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SEEN_PROCESSES_CNT = 8192 };

// All zero: none.
struct seen_processes {
    _Atomic uint64_t ids[SEEN_PROCESSES_CNT]; // pid terms
};

static inline _Atomic uint64_t *seen_processes_place(struct seen_processes *seen, uint64_t id)
{
    return &seen->ids[(id * 0x9E3779B97F4A7C15ULL >> 32) % SEEN_PROCESSES_CNT];
}

static inline bool seen_processes_has(struct seen_processes *seen, uint64_t id)
{
    return atomic_load_explicit(seen_processes_place(seen, id), memory_order_relaxed) == id;
}

static inline void seen_processes_add(struct seen_processes *seen, uint64_t id)
{
    atomic_store_explicit(seen_processes_place(seen, id), id, memory_order_relaxed);
}

// It is to be read again. What others put into its place meanwhile stays.
static inline void seen_processes_forget(struct seen_processes *seen, uint64_t id)
{
    uint64_t there = id;
    (void)atomic_compare_exchange_strong_explicit(seen_processes_place(seen, id), &there, 0,
                                                  memory_order_relaxed, memory_order_relaxed);
}

#endif

// SPDX-License-Identifier: Apache-2.0
// The processes that work for the profiler: whose samples are marked as such. Few come
// and go. Any thread, without a lock.
#ifndef FLAME_PROF_CAPTURE_BEAM_OWN_PROCESSES_H
#define FLAME_PROF_CAPTURE_BEAM_OWN_PROCESSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { OWN_PROCESSES_MAX = 64 };

// Zeroed: nobody.
struct own_processes {
    _Atomic uint64_t ids[OWN_PROCESSES_MAX]; // pid terms, 0 = free
    _Atomic uint32_t added_cnt;
};

// Beyond OWN_PROCESSES_MAX the one added first gives way.
static inline void own_processes_add(struct own_processes *own, uint64_t id)
{
    uint32_t at = atomic_fetch_add_explicit(&own->added_cnt, 1, memory_order_relaxed);
    atomic_store_explicit(&own->ids[at % OWN_PROCESSES_MAX], id, memory_order_relaxed);
}

static inline bool own_processes_has(const struct own_processes *own, uint64_t id)
{
    for (uint32_t i = 0; i < OWN_PROCESSES_MAX; i++) {
        if (atomic_load_explicit(&own->ids[i], memory_order_relaxed) == id) {
            return true;
        }
    }
    return false;
}

#endif

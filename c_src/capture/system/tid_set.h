// SPDX-License-Identifier: Apache-2.0
// A set of process or thread ids: exact, bounded by the ids there can be. One owner.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_TID_SET_H
#define FLAME_PROF_CAPTURE_SYSTEM_TID_SET_H

#include <stdbool.h>
#include <stdint.h>

// The kernel's PID_MAX_LIMIT.
enum { TID_SET_MAX_IDS = 1 << 22 };

// A zeroed struct is empty. Half a megabyte, of which only what is used is ever touched.
struct tid_set {
    uint64_t bits[TID_SET_MAX_IDS / 64];
};

static inline bool tid_set_has(const struct tid_set *set, uint32_t id)
{
    return id < TID_SET_MAX_IDS && (set->bits[id / 64] >> id % 64 & 1) != 0;
}

static inline void tid_set_add(struct tid_set *set, uint32_t id)
{
    if (id < TID_SET_MAX_IDS) {
        set->bits[id / 64] |= 1ULL << id % 64;
    }
}

static inline void tid_set_remove(struct tid_set *set, uint32_t id)
{
    if (id < TID_SET_MAX_IDS) {
        set->bits[id / 64] &= ~(1ULL << id % 64);
    }
}

#endif

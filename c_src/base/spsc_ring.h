// SPDX-License-Identifier: Apache-2.0
// A bounded queue of variable-length records between exactly one producer
// thread and one consumer thread. Never blocks, never allocates after init; the
// memory is touched at init so that the producer takes no page fault.
#ifndef FLAME_PROF_BASE_SPSC_RING_H
#define FLAME_PROF_BASE_SPSC_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc_ring {
    unsigned char *bytes;
    uint64_t size; // a power of two
    uint64_t reserved_at;
    uint64_t reserved_len;
    _Atomic uint64_t head; // producer: release; consumer: acquire
    _Atomic uint64_t tail; // consumer: release; producer: acquire
};

// `min_bytes` is rounded up to a power of two. False when out of memory.
bool spsc_ring_init(struct spsc_ring *ring, size_t min_bytes);
void spsc_ring_deinit(struct spsc_ring *ring);

// Producer. A contiguous place for one record of at most `max_len` bytes,
// 8-aligned, or NULL when the ring is too full (the caller counts the loss).
void *spsc_ring_reserve(struct spsc_ring *ring, uint32_t max_len);
// Producer. Publishes the first `len` (<= max_len, > 0) bytes of the reservation.
void spsc_ring_commit(struct spsc_ring *ring, uint32_t len);

// Consumer. The oldest record and its length, or NULL when empty. Valid until
// spsc_ring_pop.
const void *spsc_ring_peek(struct spsc_ring *ring, uint32_t *len);
void spsc_ring_pop(struct spsc_ring *ring);

// Any thread; approximate.
uint64_t spsc_ring_used_bytes(const struct spsc_ring *ring);

#endif

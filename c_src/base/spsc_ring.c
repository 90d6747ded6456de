// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: the handler of a CPU timer is a producer.
//
// Record layout: u32 length of the payload, u32 flag, payload padded to 8. A
// record never wraps: a filler record covers what is left at the end.
#include "base/spsc_ring.h"

enum { HEADER_BYTES = 8, FLAG_RECORD = 0, FLAG_FILLER = 1 };

struct header {
    uint32_t len;
    uint32_t flag;
};

static uint64_t padded(uint32_t len)
{
    return HEADER_BYTES + (((uint64_t)len + 7) & ~7ULL);
}

static struct header *header_at(struct spsc_ring *ring, uint64_t position)
{
    return (struct header *)(void *)(ring->bytes + (position & (ring->size - 1)));
}

void *spsc_ring_reserve(struct spsc_ring *ring, uint32_t max_len)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint64_t need = padded(max_len);
    uint64_t to_end = ring->size - (head & (ring->size - 1));
    uint64_t filler = to_end < need ? to_end : 0;
    uint64_t space = ring->size - (head - tail);
    bool fits = need + filler <= space;
    bool end_is_free = filler <= space && need <= ring->size;
    if (filler != 0 && end_is_free) {
        *header_at(ring, head) =
            (struct header){.len = (uint32_t)(filler - HEADER_BYTES), .flag = FLAG_FILLER};
    }
    if (!fits && end_is_free) {
        // Given up now: a record of more than half the ring would else find even an
        // empty ring too full, for good.
        atomic_store_explicit(&ring->head, head + filler, memory_order_release);
    }
    if (!fits) {
        return NULL;
    }
    ring->reserved_at = head + filler;
    ring->reserved_len = max_len;
    return header_at(ring, ring->reserved_at) + 1;
}

void spsc_ring_commit(struct spsc_ring *ring, uint32_t len)
{
    *header_at(ring, ring->reserved_at) = (struct header){.len = len, .flag = FLAG_RECORD};
    atomic_store_explicit(&ring->head, ring->reserved_at + padded(len), memory_order_release);
}

const void *spsc_ring_peek(struct spsc_ring *ring, uint32_t *len)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    while (tail != head) {
        const struct header *header = header_at(ring, tail);
        if (header->flag == FLAG_RECORD) {
            *len = header->len;
            return header + 1;
        }
        tail += padded(header->len);
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
    return NULL;
}

void spsc_ring_pop(struct spsc_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t next = tail + padded(header_at(ring, tail)->len);
    atomic_store_explicit(&ring->tail, next, memory_order_release);
}

uint64_t spsc_ring_used_bytes(const struct spsc_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    return atomic_load_explicit(&ring->head, memory_order_relaxed) - tail;
}

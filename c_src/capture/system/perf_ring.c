// SPDX-License-Identifier: Apache-2.0
#include "capture/system/perf_ring.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool perf_ring_open(struct perf_ring *ring, int fd, uint32_t bytes)
{
    void *at = mmap(NULL, page_bytes() + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    *ring = (struct perf_ring){
        .control = at,
        .data = (const unsigned char *)at + page_bytes(),
        .bytes = bytes,
    };
    return true;
}

void perf_ring_close(struct perf_ring *ring)
{
    if (ring->control != NULL) {
        (void)munmap(ring->control, page_bytes() + ring->bytes);
    }
    *ring = (struct perf_ring){0};
}

bool perf_ring_is_open(const struct perf_ring *ring)
{
    return ring->control != NULL;
}

void perf_ring_look(struct perf_ring *ring)
{
    _Atomic uint64_t *head = (_Atomic uint64_t *)&ring->control->data_head;
    ring->end = atomic_load_explicit(head, memory_order_acquire);
}

static void give_back(struct perf_ring *ring, uint64_t until)
{
    _Atomic uint64_t *tail = (_Atomic uint64_t *)&ring->control->data_tail;
    ring->at = until;
    atomic_store_explicit(tail, until, memory_order_release);
}

void perf_ring_copy(const struct perf_ring *ring, size_t offset, void *to, size_t len)
{
    size_t from = (ring->at + offset) & (ring->bytes - 1);
    size_t first = ring->bytes - from < len ? ring->bytes - from : len;
    memcpy(to, ring->data + from, first);
    memcpy((char *)to + first, ring->data, len - first);
}

bool perf_ring_peek(struct perf_ring *ring, struct perf_event_header *header)
{
    if (ring->at >= ring->end) {
        return false;
    }
    perf_ring_copy(ring, 0, header, sizeof *header);
    if (header->size < sizeof *header || header->size > ring->end - ring->at) {
        give_back(ring, ring->end); // never
        return false;
    }
    return true;
}

const void *perf_ring_record(const struct perf_ring *ring, uint16_t size, void *scratch)
{
    size_t from = ring->at & (ring->bytes - 1);
    if (size <= ring->bytes - from) {
        return ring->data + from;
    }
    perf_ring_copy(ring, 0, scratch, size);
    return scratch;
}

void perf_ring_skip(struct perf_ring *ring, uint16_t size)
{
    give_back(ring, ring->at + size);
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/sample_ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool map_pages(struct sample_ring *ring, int fd)
{
    size_t page = page_bytes();
    void *consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ring->consumed = consumed == MAP_FAILED ? NULL : consumed;
    void *produced = mmap(NULL, page + ring->bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
    if (produced != MAP_FAILED) {
        ring->produced = produced;
        ring->data = (const unsigned char *)produced + page;
    }
    return ring->consumed != NULL && ring->produced != NULL;
}

static bool watch(struct sample_ring *ring, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    ring->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return ring->epoll_fd >= 0 && epoll_ctl(ring->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool sample_ring_open(struct sample_ring *ring, int fd, uint32_t bytes)
{
    *ring = (struct sample_ring){.bytes = bytes, .epoll_fd = -1};
    ring->whole = malloc(SAMPLE_RING_MAX_RECORD_BYTES);
    if (ring->whole != NULL && map_pages(ring, fd) && watch(ring, fd)) {
        return true;
    }
    int sys_errno = errno;
    sample_ring_close(ring);
    errno = sys_errno;
    return false;
}

void sample_ring_close(struct sample_ring *ring)
{
    if (ring->bytes == 0) {
        return;
    }
    if (ring->consumed != NULL) {
        (void)munmap(ring->consumed, page_bytes());
    }
    if (ring->produced != NULL) {
        (void)munmap((void *)ring->produced, page_bytes() + ring->bytes);
    }
    if (ring->epoll_fd >= 0) {
        (void)close(ring->epoll_fd);
    }
    free(ring->whole);
    *ring = (struct sample_ring){.bytes = 0};
}

// `size` bytes from `at` on, in one piece.
static const void *record_at(struct sample_ring *ring, uint64_t at, size_t size)
{
    size_t offset = at & (ring->bytes - 1);
    size_t first = ring->bytes - offset;
    if (size <= first) {
        return ring->data + offset;
    }
    memcpy(ring->whole, ring->data + offset, first);
    memcpy(ring->whole + first, ring->data, size - first);
    return ring->whole;
}

// Each record is behind its length and 4 bytes of the kernel's own, all of it in eights.
static uint64_t room_of(uint32_t size)
{
    return ((uint64_t)size + BPF_RINGBUF_HDR_SZ + 7) & ~7ULL;
}

static void take(struct sample_ring *ring, uint64_t at, uint32_t head, sample_ring_handler handler,
                 void *context)
{
    uint32_t size = head & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if ((head & BPF_RINGBUF_DISCARD_BIT) == 0) {
        bool fits = size <= SAMPLE_RING_MAX_RECORD_BYTES && size <= ring->bytes;
        size_t whole = fits ? size : 0;
        handler(context, record_at(ring, at + BPF_RINGBUF_HDR_SZ, whole), whole);
    }
    __atomic_store_n(ring->consumed, at + room_of(size), __ATOMIC_RELEASE);
}

bool sample_ring_drain(struct sample_ring *ring, uint64_t max_bytes, sample_ring_handler handler,
                       void *context)
{
    uint64_t at = *ring->consumed; // nobody else changes it
    uint64_t begin = at;
    while (at < __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE)) {
        const uint32_t *head = (const uint32_t *)(ring->data + (at & (ring->bytes - 1)));
        uint32_t value = __atomic_load_n(head, __ATOMIC_ACQUIRE);
        if ((value & BPF_RINGBUF_BUSY_BIT) != 0) {
            break; // its CPU is still writing
        }
        if (at - begin >= max_bytes) {
            return true;
        }
        take(ring, at, value, handler, context);
        at = *ring->consumed;
    }
    return false;
}

// SPDX-License-Identifier: Apache-2.0
// A BPF ring buffer as user space sees it. libbpf maps the data twice in a row, so that no
// record is in two pieces, and every page counts twice as resident; here a record that is
// gets put together. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_RING_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAMPLE_RING_MAX_RECORD_BYTES = 64 << 10 };

// A zeroed struct is closed.
struct sample_ring {
    uint64_t *consumed;       // shared with the kernel, in a page of its own
    const uint64_t *produced; // likewise; the data is in the pages behind it
    const unsigned char *data;
    uint32_t bytes;       // a power of two
    int epoll_fd;         // wakes up when the BPF program says so
    unsigned char *whole; // a record that was in two pieces
};

// Valid until the handler returns.
typedef void (*sample_ring_handler)(void *context, const void *record, size_t size);

// `fd` is the map's and stays the caller's; `bytes` as the map has. False with errno.
bool sample_ring_open(struct sample_ring *ring, int fd, uint32_t bytes);
// Harmless twice and on a zeroed struct.
void sample_ring_close(struct sample_ring *ring);

// Hands over what is there, up to the record with which it is `max_bytes`; true: there is more.
// A record that no program of ours could have sent has size 0.
bool sample_ring_drain(struct sample_ring *ring, uint64_t max_bytes, sample_ring_handler handler,
                       void *context);

#endif

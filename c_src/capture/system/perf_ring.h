// SPDX-License-Identifier: Apache-2.0
// The buffer in which the kernel puts records of perf events: those of one CPU, as
// perf_event_open(2) has it. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_RING_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PERF_RING_MAX_RECORD_BYTES = 1 << 16 };

// A zeroed struct is closed.
struct perf_ring {
    struct perf_event_mmap_page *control;
    const unsigned char *data;
    uint32_t bytes; // a power of two
    uint64_t at;    // of the next record ...
    uint64_t end;   // ... of those that perf_ring_look() saw
};

// Maps the buffer of the event `fd`; it stays when the event is closed. False with errno.
bool perf_ring_open(struct perf_ring *ring, int fd, uint32_t bytes);
// Harmless twice and on a zeroed struct.
void perf_ring_close(struct perf_ring *ring);
bool perf_ring_is_open(const struct perf_ring *ring);

// Sees what has come since.
void perf_ring_look(struct perf_ring *ring);

// The next record's head; false when there is none. What cannot be a record drops all
// that was seen.
bool perf_ring_peek(struct perf_ring *ring, struct perf_event_header *header);

// `len` bytes of the next record, from `offset` on; both within its size.
void perf_ring_copy(const struct perf_ring *ring, size_t offset, void *to, size_t len);

// All of the next record, whose `size` perf_ring_peek() told: where it is, or in
// `scratch` (PERF_RING_MAX_RECORD_BYTES, aligned to 8) if its end is elsewhere. Valid
// until perf_ring_skip().
const void *perf_ring_record(const struct perf_ring *ring, uint16_t size, void *scratch);

// Gives the kernel the room of the next record back.
void perf_ring_skip(struct perf_ring *ring, uint16_t size);

#endif

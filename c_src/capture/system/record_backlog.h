// SPDX-License-Identifier: Apache-2.0
// Records that were taken over from the ring buffer and are yet to be looked at: the ring
// has room meanwhile. First in, first out. The caller bounds it by `bytes`. One owner, one
// thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_RECORD_BACKLOG_H
#define FLAME_PROF_CAPTURE_SYSTEM_RECORD_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>

struct backlog_chunk;

// A zeroed struct is empty.
struct record_backlog {
    struct backlog_chunk *first;
    struct backlog_chunk *last;
    size_t bytes; // put and not yet next, with what keeping them takes
};

// Harmless twice.
void record_backlog_deinit(struct record_backlog *backlog);

// A copy. False when out of memory, or when it is larger than any record is.
bool record_backlog_put(struct record_backlog *backlog, const void *record, size_t size);

// The oldest one, aligned for any type; NULL when there is none. Valid until the next
// call; more may be put meanwhile.
const void *record_backlog_next(struct record_backlog *backlog, size_t *size_ret);

#endif

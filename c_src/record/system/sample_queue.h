// SPDX-License-Identifier: Apache-2.0
// Puts samples of all CPUs in the order of time: holds them back for a while,
// then gives them out oldest first. Bounded. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_SAMPLE_QUEUE_H
#define FLAME_PROF_RECORD_SYSTEM_SAMPLE_QUEUE_H

#include "capture/system/system_sample.h"
#include "record/system/stack_hashes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sample_queue_result {
    SAMPLE_QUEUED,
    SAMPLE_LATE,    // a newer one is already out
    SAMPLE_REFUSED, // the queue is full or memory is short
};

struct sample_queue_chunk;

struct queued_sample {
    struct system_sample sample;
    struct stack_hashes hashes;
    struct sample_queue_chunk *chunk; // the queue's
    size_t bytes;
    uint64_t frames[];
};

// What the order is by stands beside the pointer: sorting looks at nothing else.
struct sample_queue_place {
    uint64_t time_ns;
    struct queued_sample *queued;
};

// A zeroed struct with `max_bytes` set is empty.
struct sample_queue {
    struct sample_queue_place *places; // a ring, in the order of time
    uint32_t first;
    uint32_t cnt;
    uint32_t capacity;
    size_t bytes;
    size_t max_bytes;
    uint64_t out_ns; // time of the last sample given out
    struct queued_sample *out;
    struct sample_queue_chunk *chunk; // that is being filled
};

void sample_queue_init(struct sample_queue *queue, size_t max_bytes);
// Harmless twice and on a zeroed struct.
void sample_queue_deinit(struct sample_queue *queue);

// Copies the sample with its frames, and what its stack is known by; NULL: zeroed.
enum sample_queue_result sample_queue_push(struct sample_queue *queue,
                                           const struct system_sample *sample,
                                           const struct stack_hashes *hashes);

// The oldest sample, which stays; NULL when there is none. Valid until the next push or
// pop.
const struct queued_sample *sample_queue_oldest(const struct sample_queue *queue);

// Of the newest sample; 0 when there is none.
uint64_t sample_queue_newest_ns(const struct sample_queue *queue);

// The oldest sample, if it is from before `until_ns`; NULL otherwise. Samples of
// the same time come in the order they were pushed. Valid until the next pop.
const struct queued_sample *sample_queue_pop(struct sample_queue *queue, uint64_t until_ns);

#endif

// SPDX-License-Identifier: Apache-2.0
// What automatic selection may rank processes by, and how the figure is had from
// as few cache lines of `struct process` as it takes. Walker thread only.
#ifndef FLAME_PROF_CAPTURE_BEAM_SELECTION_CRITERION_H
#define FLAME_PROF_CAPTURE_BEAM_SELECTION_CRITERION_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// criterion, name towards Erlang. The figures:
// reductions            executed since the last pass
// message_queue_len     messages that wait now
// message_queue_growth  more messages than at the last pass
// memory                bytes: both heaps, heap fragments, messages that wait (their
//                       data guessed from the first few)
// binary_vheap          words of the binaries it refers to outside its heap
// cpu                   CPU time of late, as the scheduler sampler saw it (cpu_usage.h)
#define SELECTION_CRITERIA(X)                                                                      \
    X(SELECT_BY_REDUCTIONS, "reductions")                                                          \
    X(SELECT_BY_MESSAGE_QUEUE_LEN, "message_queue_len")                                            \
    X(SELECT_BY_MESSAGE_QUEUE_GROWTH, "message_queue_growth")                                      \
    X(SELECT_BY_MEMORY, "memory")                                                                  \
    X(SELECT_BY_BINARY_VHEAP, "binary_vheap")                                                      \
    X(SELECT_BY_CPU, "cpu")

enum selection_criterion {
#define SELECTION_ENUM(id, name) id,
    SELECTION_CRITERIA(SELECTION_ENUM)
#undef SELECTION_ENUM
        SELECTION_CRITERION_CNT,
};

// Static, never NULL for a valid criterion.
const char *selection_criterion_name(enum selection_criterion criterion);

// False when there is none of this name.
bool selection_criterion_named(const char *name, enum selection_criterion *criterion_ret);

enum { SELECTION_MAX_RANGES = 8, SELECTION_MAX_WORDS = 64 };

// Fields of `struct process` that are read together.
struct selection_range {
    int32_t offset;    // bytes
    uint32_t word_cnt; // of the struct
    uint32_t at;       // where they are in the image, in words
};

// What to read of each process for a set of criteria: neighbours in one go.
struct selection_plan {
    struct selection_range ranges[SELECTION_MAX_RANGES];
    uint32_t range_cnt;
    uint32_t word_cnt;            // of an image
    uint8_t at[LAYOUT_FIELD_CNT]; // of each planned field in an image, in words
};

// `criteria` is a set of bits, 1 << enum selection_criterion. The id is always read.
void selection_plan_init(struct selection_plan *plan, const struct otp_layout *layout,
                         unsigned criteria);

static inline uint64_t selection_word(const struct selection_plan *plan, const uint64_t *image,
                                      enum layout_field field)
{
    return image[plan->at[field]];
}

// Messages that wait, never negative.
uint64_t selection_queue_len(const struct selection_plan *plan, const uint64_t *image);

// `address` is the struct's: the first messages of a process that has some are read.
uint64_t selection_memory_bytes(const struct selection_plan *plan, const struct otp_layout *layout,
                                struct memory_reader *reader, uint64_t address,
                                const uint64_t *image);

uint64_t selection_binary_vheap_words(const struct selection_plan *plan, const uint64_t *image);

#endif

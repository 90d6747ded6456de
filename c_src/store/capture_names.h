// SPDX-License-Identifier: Apache-2.0
// What the rows of a chunk refer to, as lists of what is new since the chunk before.
#ifndef FLAME_PROF_STORE_CAPTURE_NAMES_H
#define FLAME_PROF_STORE_CAPTURE_NAMES_H

#include "base/byte_buffer.h"
#include "base/byte_cursor.h"
#include "model/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum capture_list {
    CAPTURE_LIST_STRINGS = 1,
    CAPTURE_LIST_FRAMES = 2,
    CAPTURE_LIST_STACKS = 3,
    CAPTURE_LIST_DIMENSION = 4, // one each
    CAPTURE_LIST_METRIC = 5,
    CAPTURE_LIST_SOURCE = 6,
    CAPTURE_LIST_MAPPINGS = 7,
    CAPTURE_LIST_STATS = 8,
};

enum { CAPTURE_MAX_SOURCES = 1024 };

// How much of a profile is in the file. Zeroed: nothing.
struct capture_names_mark {
    uint32_t string_cnt;
    uint32_t frame_cnt;
    uint32_t node_cnt;
    uint32_t value_cnts[PROFILE_MAX_DIMENSIONS];
    uint8_t dimension_flags[PROFILE_MAX_DIMENSIONS]; // 1 + is_root_frame
    uint8_t metric_flags[PROFILE_MAX_METRICS];       // 1 + has_delta
    uint32_t fact_cnts[CAPTURE_MAX_SOURCES];
    uint8_t source_flags[CAPTURE_MAX_SOURCES]; // 1 + is_incomplete
    uint32_t mapping_cnt;
    uint64_t stats_sum; // what was said of them
};

// Appends what `profile` has beyond `mark`, and moves it. False when `out` refused.
bool capture_names_write(const struct profile *profile, struct capture_names_mark *mark,
                         struct byte_buffer *out);

// Adds the lists to an unfinished profile. False when they are not what they must be.
bool capture_names_read(struct profile *profile, struct byte_cursor *cursor);

#endif

// SPDX-License-Identifier: Apache-2.0
// The lines of perf-script text below an event: its frames, leaf first, and its
// categories, the first one outermost. Each frame and category is put into words once.
// One owner, one thread.
#ifndef FLAME_PROF_EXPORT_SCRIPT_FRAMES_H
#define FLAME_PROF_EXPORT_SCRIPT_FRAMES_H

#include "base/byte_buffer.h"
#include "model/profile.h"
#include "store/perf_script_text.h"

#include <stdbool.h>
#include <stdint.h>

// A line in `lines`.
struct script_line {
    uint32_t at;
    uint32_t len; // 0 = not made yet
};

struct script_frames {
    const struct profile *profile; // borrowed
    struct byte_buffer lines;
    struct byte_buffer name;                                // scratch
    struct script_line *frames;                             // by frame_id
    struct script_line *categories[PROFILE_MAX_DIMENSIONS]; // by code; NULL = is none
};

// False when out of memory; _deinit is harmless either way.
bool script_frames_init(struct script_frames *frames, const struct profile *profile);
void script_frames_deinit(struct script_frames *frames);

// Those of a row. False when `out` refuses.
bool script_frames_append(struct script_frames *frames, uint64_t row, struct byte_buffer *out);

// Appends a kind of category as readers know one, in small letters: labels of pprof may
// have others.
void script_frames_kind(struct byte_buffer *name, struct text kind);

#endif

// SPDX-License-Identifier: Apache-2.0
// Frames and words that an engine hands over again and again, found by where their bytes
// are. Recognised by that alone where they stay (`frame.texts`), else by the bytes
// themselves, as memory is used again for other names. Tables of slots, a power of two: who
// comes last has the slot. Pure.
#ifndef FLAME_PROF_SINKS_SEEN_NAME_H
#define FLAME_PROF_SINKS_SEEN_NAME_H

#include "model/sample.h"

#include <stdbool.h>
#include <stdint.h>

// Where a frame's texts stand. A zeroed struct is nowhere.
struct seen_place {
    const char *name;
    const char *file;
    uint32_t texts;
    uint32_t line;
};

static inline struct seen_place seen_place_of(const struct frame *frame)
{
    return (struct seen_place){frame->name.bytes, frame->file.bytes, frame->texts, frame->line};
}

// False where its texts do not stay.
static inline bool seen_place_is(const struct seen_place *place, const struct frame *frame)
{
    return frame->texts != 0 && place->texts == frame->texts && place->line == frame->line &&
           place->name == frame->name.bytes && place->file == frame->file.bytes;
}

// A zeroed struct is a free slot.
struct seen_name {
    struct seen_place place;
    struct text name; // copies that stay
    struct text file;
    uint32_t id;        // what it was made into; 0 = free
    uint32_t dimension; // of which `id` is a code, for a category
};

static inline uint32_t seen_name_hash(const struct frame *frame)
{
    uint64_t hash = ((uintptr_t)frame->name.bytes ^ (uintptr_t)frame->file.bytes << 24 ^
                     (uint64_t)frame->line << 44 ^ frame->name.len) *
                    0x9E3779B97F4A7C15ULL;
    return (uint32_t)(hash >> 32);
}

static inline bool seen_name_is(const struct seen_name *seen, const struct frame *frame)
{
    return seen->id != 0 &&
           (seen_place_is(&seen->place, frame) ||
            (seen->place.line == frame->line && text_equal(seen->name, frame->name) &&
             text_equal(seen->file, frame->file)));
}

#endif

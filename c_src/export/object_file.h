// SPDX-License-Identifier: Apache-2.0
// What is known of the object files that frames are in: from the input's mappings, or
// from the facts `mapping: BUILD-ID PATH` of recordings. Any thread.
#ifndef FLAME_PROF_EXPORT_OBJECT_FILE_H
#define FLAME_PROF_EXPORT_OBJECT_FILE_H

#include "model/profile.h"

struct object_file {
    struct text build_id; // hexadecimal; empty = unknown
    uint64_t start;       // 0, 0, 0 = unknown
    uint64_t end;
    uint64_t offset;
};

// Whether the file of a frame is one: source files are not, the kernel is.
static inline bool object_file_has(const struct profile_frame *frame)
{
    bool is_object = frame->kind == PROFILE_FRAME_KERNEL || frame->kind == PROFILE_FRAME_NATIVE ||
                     frame->kind == PROFILE_FRAME_INLINED;
    return is_object && frame->file != 0;
}

struct object_file object_file_find(const struct profile *profile, string_id file);

#endif

// SPDX-License-Identifier: Apache-2.0
#include "record/beam/erlang_frame.h"

enum erlang_frame erlang_frame_at(const struct erlang_frames *frames, uint64_t address,
                                  bool is_return, struct frame *frame_ret)
{
    struct code_location location;
    if (!code_map_find(frames->code, address - is_return, frames->generation, &location)) {
        *frame_ret =
            (struct frame){.address = address, .name = TEXT("[unknown]"), .file = TEXT("beam")};
        return code_map_covers(frames->code, address) ? ERLANG_FRAME_UNKNOWN : ERLANG_FRAME_NONE;
    }
    bool repeats = frames->flatten_recursive && location.function_start == *frames->last_function;
    if (location.is_stub || repeats) {
        return ERLANG_FRAME_NONE;
    }
    *frames->last_function = location.function_start;
    *frame_ret = (struct frame){.address = address,
                                .name = location.name,
                                .line = location.line,
                                .texts = location.texts,
                                .file = location.file};
    return ERLANG_FRAME_NAMED;
}

// SPDX-License-Identifier: Apache-2.0
// Categories that stand in stacks as outermost frames: `{registered shop} (process)`,
// `{my_server:init/1} (my_server.erl)`, and the `(my_server:init/1)` of 2021. Pure.
#ifndef FLAME_PROF_MODEL_CATEGORY_FRAME_H
#define FLAME_PROF_MODEL_CATEGORY_FRAME_H

#include "base/text.h"

#include <stdbool.h>

struct category {
    struct text kind;  // "registered", "initial_call": name of a dimension
    struct text value; // "shop", "my_server:init/1"
};

// False when the frame is code. Both texts point into `name`, or are static.
bool category_frame_parse(struct text name, struct text file, struct category *category);

// Whether it is worth asking.
static inline bool category_frame_possible(struct text name)
{
    return name.len > 2 && (name.bytes[0] == '{' || name.bytes[0] == '(');
}

#endif

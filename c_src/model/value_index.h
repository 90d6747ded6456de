// SPDX-License-Identifier: Apache-2.0
// The codes of a dimension's values, while it grows. One owner, one thread.
#ifndef FLAME_PROF_MODEL_VALUE_INDEX_H
#define FLAME_PROF_MODEL_VALUE_INDEX_H

#include "base/number_map.h"
#include "model/profile.h"

#include <stddef.h>
#include <stdint.h>

// A zeroed struct is that of a dimension without values.
struct value_index {
    struct number_map codes;
    uint32_t capacity;
    int64_t last_value;
    uint32_t last_code; // 0 = none yet
};

void value_index_deinit(struct value_index *index);

// The code of a value, which is added where it is new; 0 when out of memory, or of the
// `max_bytes` that the values may take.
uint32_t value_index_look_up(struct value_index *index, struct profile_dimension *dimension,
                             int64_t value, size_t max_bytes);

// The same, fast where it is the last one again.
static inline uint32_t value_index_code(struct value_index *index,
                                        struct profile_dimension *dimension, int64_t value,
                                        size_t max_bytes)
{
    return index->last_code != 0 && index->last_value == value
               ? index->last_code
               : value_index_look_up(index, dimension, value, max_bytes);
}

#endif

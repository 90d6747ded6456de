// SPDX-License-Identifier: Apache-2.0
#include "model/value_index.h"

#include <stdlib.h>

void value_index_deinit(struct value_index *index)
{
    number_map_deinit(&index->codes);
}

static bool reserve_value(struct value_index *index, struct profile_dimension *dimension,
                          size_t max_bytes)
{
    if (dimension->value_cnt < index->capacity) {
        return true;
    }
    uint32_t capacity = index->capacity == 0 ? 16 : index->capacity * 2;
    int64_t *values = NULL;
    if (capacity < INT32_MAX / 2 && capacity * sizeof *values <= max_bytes) {
        values = realloc((void *)dimension->values, capacity * sizeof *values);
    }
    if (values == NULL) {
        return false;
    }
    values[0] = 0;
    dimension->values = values;
    index->capacity = capacity;
    return true;
}

static uint32_t add_value(struct value_index *index, struct profile_dimension *dimension,
                          int64_t value, size_t max_bytes)
{
    uint32_t code = dimension->value_cnt;
    if (!reserve_value(index, dimension, max_bytes) ||
        !number_map_add(&index->codes, (uint64_t)value, code)) {
        return 0;
    }
    ((int64_t *)dimension->values)[code] = value;
    dimension->value_cnt++;
    return code;
}

uint32_t value_index_look_up(struct value_index *index, struct profile_dimension *dimension,
                             int64_t value, size_t max_bytes)
{
    uint32_t code = number_map_find(&index->codes, (uint64_t)value);
    if (code == 0) {
        code = add_value(index, dimension, value, max_bytes);
    }
    index->last_value = value;
    index->last_code = code;
    return code;
}

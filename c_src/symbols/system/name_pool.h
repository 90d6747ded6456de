// SPDX-License-Identifier: Apache-2.0
// Names one behind the other, each with a NUL, told apart by where they begin. Bounded.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_NAME_POOL_H
#define FLAME_PROF_SYMBOLS_SYSTEM_NAME_POOL_H

#include "base/text.h"

#include <stdint.h>

enum { NAME_POOL_NONE = UINT32_MAX };

// All zero: no names.
struct name_pool {
    char *bytes;
    uint32_t len, capacity;
};

void name_pool_deinit(struct name_pool *pool);

// Where the name begins; NAME_POOL_NONE, and nothing changed, beyond `max_bytes` of names or
// without memory.
uint32_t name_pool_add(struct name_pool *pool, struct text name, uint32_t max_bytes);

// `at` is what name_pool_add returned; good until the next one is added.
static inline struct text name_pool_text(const struct name_pool *pool, uint32_t at)
{
    return text_of(pool->bytes + at);
}

#endif

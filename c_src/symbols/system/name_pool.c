// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/name_pool.h"

#include "symbols/system/grown_array.h"

#include <stdlib.h>
#include <string.h>

void name_pool_deinit(struct name_pool *pool)
{
    free(pool->bytes);
    *pool = (struct name_pool){0};
}

uint32_t name_pool_add(struct name_pool *pool, struct text name, uint32_t max_bytes)
{
    uint32_t at = pool->len;
    if (name.len >= max_bytes - at) {
        return NAME_POOL_NONE;
    }
    char *bytes = grown_array(pool->bytes, &pool->capacity, at + name.len + 1, max_bytes, 1);
    if (bytes == NULL) {
        return NAME_POOL_NONE;
    }
    pool->bytes = bytes;
    if (name.len > 0) {
        memcpy(bytes + at, name.bytes, name.len);
    }
    bytes[at + name.len] = '\0';
    pool->len += name.len + 1;
    return at;
}

// SPDX-License-Identifier: Apache-2.0
// Dense ids, from 0 in the order of first use, for some of many things: for tables that
// each part of a file has anew. One owner, one thread.
#ifndef FLAME_PROF_EXPORT_LOCAL_IDS_H
#define FLAME_PROF_EXPORT_LOCAL_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct local_ids {
    uint32_t *ids;  // by thing; id + 1
    uint32_t *used; // by id
    uint32_t cnt;
};

// For things 0 to `max` - 1. False when out of memory; _deinit is harmless either way.
static inline bool local_ids_init(struct local_ids *ids, uint32_t max)
{
    ids->ids = calloc((size_t)max + 1, sizeof *ids->ids);
    ids->used = calloc((size_t)max + 1, sizeof *ids->used);
    ids->cnt = 0;
    return ids->ids != NULL && ids->used != NULL;
}

static inline void local_ids_deinit(struct local_ids *ids)
{
    free(ids->ids);
    free(ids->used);
    *ids = (struct local_ids){.cnt = 0};
}

static inline uint32_t local_ids_of(struct local_ids *ids, uint32_t thing)
{
    if (ids->ids[thing] == 0) {
        ids->used[ids->cnt++] = thing;
        ids->ids[thing] = ids->cnt;
    }
    return ids->ids[thing] - 1;
}

static inline bool local_ids_has(const struct local_ids *ids, uint32_t thing)
{
    return ids->ids[thing] != 0;
}

static inline void local_ids_clear(struct local_ids *ids)
{
    for (uint32_t i = 0; i < ids->cnt; i++) {
        ids->ids[ids->used[i]] = 0;
    }
    ids->cnt = 0;
}

#endif

// SPDX-License-Identifier: Apache-2.0
#include "query/flame_limit.h"

struct flame_limit flame_limit_of(uint32_t max_nodes, double min_share)
{
    return (struct flame_limit){.max_nodes = max_nodes, .min_share = min_share, .least = INT64_MIN};
}

int64_t flame_limit_share(double min_share, int64_t whole)
{
    double share = (double)whole * min_share;
    if (min_share <= 0) {
        return INT64_MIN;
    }
    return share < 1 ? 1 : share >= 9e18 ? INT64_MAX : (int64_t)share;
}

// Those below 2 * STEPS have a bucket each.
static uint32_t bucket_of(uint64_t total)
{
    if (total < FLAME_LIMIT_STEPS) {
        return (uint32_t)total;
    }
    uint32_t shift = 60 - (uint32_t)__builtin_clzll(total);
    return shift * FLAME_LIMIT_STEPS + (uint32_t)(total >> shift);
}

static int64_t least_of(uint32_t bucket)
{
    if (bucket < FLAME_LIMIT_STEPS) {
        return bucket;
    }
    uint64_t steps = FLAME_LIMIT_STEPS + bucket % FLAME_LIMIT_STEPS;
    return (int64_t)(steps << (bucket / FLAME_LIMIT_STEPS - 1));
}

void flame_limit_count(struct flame_limit *limit, int64_t total, uint32_t cnt)
{
    uint32_t bucket = bucket_of((uint64_t)total);
    limit->counts[bucket] += cnt;
    limit->counted += bucket >= limit->bucket ? cnt : 0;
}

void flame_limit_raise(struct flame_limit *limit, int64_t whole)
{
    while (limit->max_nodes > 0 &&
           limit->counted - limit->counts[limit->bucket] > limit->max_nodes) {
        limit->counted -= limit->counts[limit->bucket++];
    }
    int64_t by_count = limit->bucket == 0 ? INT64_MIN : least_of(limit->bucket);
    int64_t by_share = flame_limit_share(limit->min_share, whole);
    limit->least = by_count > by_share ? by_count : by_share;
}

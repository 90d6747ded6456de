// SPDX-License-Identifier: Apache-2.0
// How light a node of a flame graph may be while others are still to come: rises as
// heavier ones are seen, and is never above what it ends at. 4 KiB. One owner.
#ifndef FLAME_PROF_QUERY_FLAME_LIMIT_H
#define FLAME_PROF_QUERY_FLAME_LIMIT_H

#include <stdint.h>

// Totals by their highest four bits.
enum { FLAME_LIMIT_STEPS = 8, FLAME_LIMIT_BUCKETS = (64 - 3) * FLAME_LIMIT_STEPS };

struct flame_limit {
    uint64_t max_nodes; // 0 = no limit
    double min_share;   // of the whole; 0 = no limit
    int64_t least;      // what is lighter will not stay
    uint64_t counts[FLAME_LIMIT_BUCKETS];
    uint32_t bucket;  // all nodes from here on are counted
    uint64_t counted; // so many are they
};

struct flame_limit flame_limit_of(uint32_t max_nodes, double min_share);

// What a share of the whole is as a limit; INT64_MIN when there is none.
int64_t flame_limit_share(double min_share, int64_t whole);

// `cnt` nodes with a total > 0 of this size.
void flame_limit_count(struct flame_limit *limit, int64_t total, uint32_t cnt);

// The whole is at least so heavy by now.
void flame_limit_raise(struct flame_limit *limit, int64_t whole);

#endif

// SPDX-License-Identifier: Apache-2.0
// Rows by the categories they have in some dimensions: each combination that occurs
// is a group, numbered from 0. One owner.
#ifndef FLAME_PROF_QUERY_CATEGORY_GROUPS_H
#define FLAME_PROF_QUERY_CATEGORY_GROUPS_H

#include "model/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum { CATEGORY_GROUPS_MAX_LEVELS = 16 };

struct category_level {
    uint32_t dimension;
    uint32_t value_cnt;    // of the dimension
    uint32_t *direct;      // [group of the level before * value_cnt + code]: group + 1, 0 = none
    uint32_t direct_cnt;   // groups of the level before that it has room for
    struct number_map ids; // the same beyond that: group and code to group + 1
    uint32_t *before;      // by group: that of the level before
    uint32_t *codes;       // by group
    uint32_t group_cnt;
    uint32_t capacity;
};

struct category_groups {
    const struct profile *profile; // borrowed
    struct category_level levels[CATEGORY_GROUPS_MAX_LEVELS];
    uint32_t level_cnt;
    uint32_t *whole; // by all codes as one number: group + 1, 0 = none; NULL: too many
};

// `level_cnt` <= CATEGORY_GROUPS_MAX_LEVELS; with 0 everything is group 0.
void category_groups_init(struct category_groups *groups, const struct profile *profile,
                          const uint32_t *dimensions, uint32_t level_cnt);
void category_groups_deinit(struct category_groups *groups);

// The groups of `cnt` rows (at most WEIGHT_BLOCK_ROWS). False when out of memory.
bool category_groups_read(struct category_groups *groups, uint64_t first, uint32_t cnt,
                          uint32_t *group);

uint32_t category_groups_count(const struct category_groups *groups);

// The code of a group in each dimension, outermost first.
void category_groups_codes(const struct category_groups *groups, uint32_t group, uint32_t *codes);

#endif

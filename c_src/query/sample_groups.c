// SPDX-License-Identifier: Apache-2.0
#include "query/sample_groups.h"

#include <stdlib.h>
#include <string.h>

uint32_t sample_groups_labels(const struct profile *profile,
                              uint32_t dimensions[CATEGORY_GROUPS_MAX_LEVELS])
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < profile->dimension_cnt && cnt < CATEGORY_GROUPS_MAX_LEVELS; i++) {
        // Of a CPU there is one in every sample, which would tear all stacks apart.
        if (i != PROFILE_SOURCE && i != PROFILE_CPU && profile->dimensions[i].value_cnt > 1) {
            dimensions[cnt++] = i;
        }
    }
    return cnt;
}

static bool add(struct sample_groups *groups, struct sample_group group)
{
    if (groups->cnt == groups->capacity) {
        uint32_t capacity = groups->capacity == 0 ? 1024 : groups->capacity * 2;
        struct sample_group *more = realloc(groups->groups, capacity * sizeof *more);
        if (more == NULL) {
            return false;
        }
        groups->groups = more;
        groups->capacity = capacity;
    }
    groups->groups[groups->cnt++] = group;
    return true;
}

static bool find(struct sample_groups *groups, struct number_map *ids, struct sample_group group,
                 uint32_t *found)
{
    uint64_t number = (uint64_t)group.category << 32 | group.stack;
    uint32_t id = number_map_find(ids, number);
    if (id == 0) {
        if (!add(groups, group) || !number_map_add(ids, number, groups->cnt)) {
            return false;
        }
        id = groups->cnt;
    }
    *found = id - 1;
    return true;
}

static bool read_block(struct sample_groups *groups, struct number_map *ids, uint64_t first,
                       uint32_t cnt)
{
    const struct selection *selection = groups->selection;
    uint32_t category[WEIGHT_BLOCK_ROWS];
    if (!category_groups_read(&groups->categories, first, cnt, category)) {
        return false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        uint64_t row = first + i;
        uint32_t *of_row = &groups->of_row[row - selection->first];
        struct sample_group group = {selection->profile->stack[row], category[i]};
        *of_row = SAMPLE_GROUP_NONE;
        if (selection_has(selection, row) && !find(groups, ids, group, of_row)) {
            return false;
        }
    }
    return true;
}

static uint32_t block_at(const struct selection *selection, uint64_t row)
{
    uint64_t left = selection->end - row;
    return left < WEIGHT_BLOCK_ROWS ? (uint32_t)left : (uint32_t)WEIGHT_BLOCK_ROWS;
}

bool sample_groups_init(struct sample_groups *groups, const struct selection *selection,
                        const uint32_t *dimensions, uint32_t dimension_cnt, struct error *err)
{
    struct number_map ids = {0};
    *groups = (struct sample_groups){.selection = selection};
    category_groups_init(&groups->categories, selection->profile, dimensions, dimension_cnt);
    groups->of_row = malloc((selection->end - selection->first + 1) * sizeof *groups->of_row);
    bool ok = groups->of_row != NULL;
    for (uint64_t row = selection->first; ok && row < selection->end; row += WEIGHT_BLOCK_ROWS) {
        ok = read_block(groups, &ids, row, block_at(selection, row));
    }
    number_map_deinit(&ids);
    return ok || error_set(err, ERROR_NO_MEMORY, "out of memory: too many different samples");
}

void sample_groups_deinit(struct sample_groups *groups)
{
    category_groups_deinit(&groups->categories);
    free(groups->groups);
    free(groups->of_row);
    *groups = (struct sample_groups){.cnt = 0};
}

bool sample_groups_sum(const struct sample_groups *groups, struct weight weight, int64_t *sums,
                       uint32_t stride, struct error *err)
{
    const struct selection *selection = groups->selection;
    struct weight_reader reader;
    int64_t weights[WEIGHT_BLOCK_ROWS];
    if (!weight_open(selection->profile, weight, &reader, err)) {
        return false;
    }
    for (uint32_t i = 0; i < groups->cnt; i++) {
        sums[(size_t)i * stride] = 0;
    }
    for (uint64_t row = selection->first; row < selection->end; row += WEIGHT_BLOCK_ROWS) {
        uint32_t cnt = block_at(selection, row);
        const uint32_t *of_row = &groups->of_row[row - selection->first];
        weight_read(&reader, row, cnt, weights);
        for (uint32_t i = 0; i < cnt; i++) {
            if (of_row[i] != SAMPLE_GROUP_NONE) {
                int64_t *sum = &sums[(size_t)of_row[i] * stride];
                *sum = weight_sum(*sum, weights[i]);
            }
        }
    }
    return true;
}

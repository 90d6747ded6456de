// SPDX-License-Identifier: Apache-2.0
#include "query/category_groups.h"

#include "query/weight.h"

#include <stdlib.h>
#include <string.h>

void category_groups_init(struct category_groups *groups, const struct profile *profile,
                          const uint32_t *dimensions, uint32_t level_cnt)
{
    *groups = (struct category_groups){.profile = profile, .level_cnt = level_cnt};
    for (uint32_t i = 0; i < level_cnt; i++) {
        groups->levels[i].dimension = dimensions[i];
    }
}

void category_groups_deinit(struct category_groups *groups)
{
    for (uint32_t i = 0; i < groups->level_cnt; i++) {
        number_map_deinit(&groups->levels[i].ids);
        free(groups->levels[i].before);
        free(groups->levels[i].codes);
    }
    *groups = (struct category_groups){.profile = NULL};
}

static bool grow(struct category_level *level)
{
    if (level->group_cnt < level->capacity) {
        return true;
    }
    uint32_t capacity = level->capacity == 0 ? 256 : level->capacity * 2;
    uint32_t *before = realloc(level->before, capacity * sizeof *before);
    level->before = before != NULL ? before : level->before;
    uint32_t *codes = realloc(level->codes, capacity * sizeof *codes);
    level->codes = codes != NULL ? codes : level->codes;
    if (before == NULL || codes == NULL) {
        return false;
    }
    level->capacity = capacity;
    return true;
}

static bool add(struct category_level *level, uint32_t before, uint32_t code, uint32_t *group)
{
    if (!grow(level)) {
        return false;
    }
    *group = level->group_cnt;
    level->before[*group] = before;
    level->codes[*group] = code;
    level->group_cnt++;
    return number_map_add(&level->ids, (uint64_t)before << 32 | code, *group + 1);
}

bool category_groups_read(struct category_groups *groups, uint64_t first, uint32_t cnt,
                          uint32_t *group)
{
    int64_t codes[WEIGHT_BLOCK_ROWS];
    memset(group, 0, cnt * sizeof *group);
    for (uint32_t l = 0; l < groups->level_cnt; l++) {
        struct category_level *level = &groups->levels[l];
        const struct profile_dimension *dimension = &groups->profile->dimensions[level->dimension];
        profile_column_read(&dimension->codes, first, cnt, codes);
        for (uint32_t i = 0; i < cnt; i++) {
            uint32_t code = (uint32_t)codes[i];
            uint32_t id = number_map_find(&level->ids, (uint64_t)group[i] << 32 | code);
            if (id != 0) {
                group[i] = id - 1;
            } else if (!add(level, group[i], code, &group[i])) {
                return false;
            }
        }
    }
    return true;
}

uint32_t category_groups_count(const struct category_groups *groups)
{
    return groups->level_cnt == 0 ? 1 : groups->levels[groups->level_cnt - 1].group_cnt;
}

void category_groups_codes(const struct category_groups *groups, uint32_t group, uint32_t *codes)
{
    for (uint32_t l = groups->level_cnt; l > 0; l--) {
        codes[l - 1] = groups->levels[l - 1].codes[group];
        group = groups->levels[l - 1].before[group];
    }
}

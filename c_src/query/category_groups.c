// SPDX-License-Identifier: Apache-2.0
#include "query/category_groups.h"

#include "query/weight.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DIRECT = 1 << 20 }; // entries of a level, and of all at once: 4 MiB

void category_groups_init(struct category_groups *groups, const struct profile *profile,
                          const uint32_t *dimensions, uint32_t level_cnt)
{
    *groups = (struct category_groups){.profile = profile, .level_cnt = level_cnt};
    for (uint32_t i = 0; i < level_cnt; i++) {
        groups->levels[i].dimension = dimensions[i];
        groups->levels[i].value_cnt = profile->dimensions[dimensions[i]].value_cnt;
    }
    uint64_t cnt = 1;
    for (uint32_t i = 0; i < level_cnt && cnt <= MAX_DIRECT; i++) {
        cnt *= groups->levels[i].value_cnt;
    }
    // Without it groups are found level by level.
    groups->whole =
        level_cnt > 0 && cnt > 0 && cnt <= MAX_DIRECT ? calloc(cnt, sizeof *groups->whole) : NULL;
}

void category_groups_deinit(struct category_groups *groups)
{
    for (uint32_t i = 0; i < groups->level_cnt; i++) {
        number_map_deinit(&groups->levels[i].ids);
        free(groups->levels[i].direct);
        free(groups->levels[i].before);
        free(groups->levels[i].codes);
    }
    free(groups->whole);
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

// Room for a group of the level before, where the table may be as large. False when
// out of memory.
static bool reserve_direct(struct category_level *level, uint32_t before)
{
    uint32_t limit = MAX_DIRECT / level->value_cnt;
    if (before < level->direct_cnt || before >= limit) {
        return true;
    }
    uint32_t cnt = before < 8 ? 16 : before * 2;
    cnt = cnt < limit ? cnt : limit;
    size_t have = (size_t)level->direct_cnt * level->value_cnt;
    size_t want = (size_t)cnt * level->value_cnt;
    uint32_t *direct = realloc(level->direct, want * sizeof *direct);
    if (direct == NULL) {
        return false;
    }
    memset(direct + have, 0, (want - have) * sizeof *direct);
    level->direct = direct;
    level->direct_cnt = cnt;
    return true;
}

// The group + 1; 0 when it is new.
static inline uint32_t find(const struct category_level *level, uint32_t before, uint32_t code)
{
    return before < level->direct_cnt ? level->direct[(size_t)before * level->value_cnt + code]
                                      : number_map_find(&level->ids, (uint64_t)before << 32 | code);
}

static bool add(struct category_level *level, uint32_t before, uint32_t code, uint32_t *group)
{
    if (!grow(level) || !reserve_direct(level, before)) {
        return false;
    }
    *group = level->group_cnt;
    level->before[*group] = before;
    level->codes[*group] = code;
    level->group_cnt++;
    if (before < level->direct_cnt) {
        level->direct[(size_t)before * level->value_cnt + code] = *group + 1;
        return true;
    }
    return number_map_add(&level->ids, (uint64_t)before << 32 | code, *group + 1);
}

static inline bool find_or_add(struct category_level *level, uint32_t code, uint32_t *group)
{
    uint32_t id = find(level, *group, code);
    if (id == 0) {
        return add(level, *group, code, group);
    }
    *group = id - 1;
    return true;
}

static bool read_levels(struct category_groups *groups, uint64_t first, uint32_t cnt,
                        uint32_t *group)
{
    int64_t codes[WEIGHT_BLOCK_ROWS];
    memset(group, 0, cnt * sizeof *group);
    for (uint32_t l = 0; l < groups->level_cnt; l++) {
        struct category_level *level = &groups->levels[l];
        const struct profile_dimension *dimension = &groups->profile->dimensions[level->dimension];
        profile_column_read(&dimension->codes, first, cnt, codes);
        for (uint32_t i = 0; i < cnt; i++) {
            if (!find_or_add(level, (uint32_t)codes[i], &group[i])) {
                return false;
            }
        }
    }
    return true;
}

// --- all levels at once --------------------------------------------------------

// One loop per width, so that many rows are taken at a time. Codes are not negative.
#define ADD_CODES(type)                                                                            \
    static void add_##type(const type *restrict codes, uint32_t cnt, uint32_t value_cnt,           \
                           uint32_t *restrict number)                                              \
    {                                                                                              \
        for (uint32_t i = 0; i < cnt; i++) {                                                       \
            number[i] = number[i] * value_cnt + (uint32_t)codes[i];                                \
        }                                                                                          \
    }

ADD_CODES(uint8_t)
ADD_CODES(uint16_t)
ADD_CODES(uint32_t)

static void add_codes(const struct profile_column *column, uint64_t first, uint32_t cnt,
                      uint32_t value_cnt, uint32_t *number)
{
    switch (column->width) {
    case 1:
        add_uint8_t((const uint8_t *)column->rows + first, cnt, value_cnt, number);
        break;
    case 2:
        add_uint16_t((const uint16_t *)column->rows + first, cnt, value_cnt, number);
        break;
    case 4:
        add_uint32_t((const uint32_t *)column->rows + first, cnt, value_cnt, number);
        break;
    default:
        for (uint32_t i = 0; i < cnt; i++) {
            number[i] = number[i] * value_cnt + (uint32_t)profile_column_at(column, first + i);
        }
        break;
    }
}

static bool add_whole(struct category_groups *groups, uint32_t number, uint32_t *group)
{
    uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS] = {0};
    uint32_t rest = number;
    for (uint32_t l = groups->level_cnt; l > 0; l--) {
        codes[l - 1] = rest % groups->levels[l - 1].value_cnt;
        rest /= groups->levels[l - 1].value_cnt;
    }
    *group = 0;
    for (uint32_t l = 0; l < groups->level_cnt; l++) {
        if (!find_or_add(&groups->levels[l], codes[l], group)) {
            return false;
        }
    }
    groups->whole[number] = *group + 1;
    return true;
}

static bool read_whole(struct category_groups *groups, uint64_t first, uint32_t cnt,
                       uint32_t *group)
{
    memset(group, 0, cnt * sizeof *group);
    for (uint32_t l = 0; l < groups->level_cnt; l++) {
        const struct category_level *level = &groups->levels[l];
        add_codes(&groups->profile->dimensions[level->dimension].codes, first, cnt,
                  level->value_cnt, group);
    }
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t number = group[i];
        group[i] = groups->whole[number] - 1;
        if (group[i] == UINT32_MAX && !add_whole(groups, number, &group[i])) {
            return false;
        }
    }
    return true;
}

bool category_groups_read(struct category_groups *groups, uint64_t first, uint32_t cnt,
                          uint32_t *group)
{
    return groups->whole != NULL ? read_whole(groups, first, cnt, group)
                                 : read_levels(groups, first, cnt, group);
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

// SPDX-License-Identifier: Apache-2.0
#include "base/number_map.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

struct number_map_slot {
    uint64_t number;
    uint32_t id; // 0 = free
};

void number_map_deinit(struct number_map *map)
{
    free(map->slots);
    *map = (struct number_map){0};
}

static uint32_t slot_of(const struct number_map *map, uint64_t number)
{
    uint64_t hash = number * 0x9E3779B97F4A7C15ULL;
    uint32_t mask = map->slot_cnt - 1;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    while (map->slots[at].id != 0 && map->slots[at].number != number) {
        at = (at + 1) & mask;
    }
    return at;
}

uint32_t number_map_find(const struct number_map *map, uint64_t number)
{
    return map->cnt == 0 ? 0 : map->slots[slot_of(map, number)].id;
}

static bool grow(struct number_map *map)
{
    struct number_map old = *map;
    if (old.slot_cnt > UINT32_MAX / 4) {
        return false;
    }
    map->slot_cnt = old.slot_cnt == 0 ? FIRST_SLOTS : old.slot_cnt * 2;
    map->slots = calloc(map->slot_cnt, sizeof *map->slots);
    if (map->slots == NULL) {
        *map = old;
        return false;
    }
    for (uint32_t i = 0; i < old.slot_cnt; i++) {
        if (old.slots[i].id != 0) {
            map->slots[slot_of(map, old.slots[i].number)] = old.slots[i];
        }
    }
    free(old.slots);
    return true;
}

bool number_map_add(struct number_map *map, uint64_t number, uint32_t id)
{
    if (map->cnt >= map->slot_cnt / 2 && !grow(map)) {
        return false;
    }
    map->slots[slot_of(map, number)] = (struct number_map_slot){number, id};
    map->cnt++;
    return true;
}

size_t number_map_memory_bytes(const struct number_map *map)
{
    return map->slot_cnt * sizeof *map->slots;
}

// SPDX-License-Identifier: Apache-2.0
// From 64-bit numbers to ids. Open addressing, grows by doubling. One owner, one
// thread.
#ifndef FLAME_PROF_BASE_NUMBER_MAP_H
#define FLAME_PROF_BASE_NUMBER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct number_map_slot;

// A zeroed struct is empty.
struct number_map {
    struct number_map_slot *slots;
    uint32_t slot_cnt; // a power of two, or 0
    uint32_t cnt;
};

// Harmless twice and on a zeroed struct.
void number_map_deinit(struct number_map *map);

// 0 when the number is not there.
uint32_t number_map_find(const struct number_map *map, uint64_t number);

// `id` > 0; the number is not there yet. False when out of memory.
bool number_map_add(struct number_map *map, uint64_t number, uint32_t id);

size_t number_map_memory_bytes(const struct number_map *map);

#endif

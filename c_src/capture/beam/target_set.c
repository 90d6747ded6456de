// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/target_set.h"

#include <stdlib.h>
#include <string.h>

bool target_set_init(struct target_set *set, uint32_t max_cnt)
{
    uint32_t index_size = 64;
    while (index_size < 2 * max_cnt) {
        index_size *= 2;
    }
    *set = (struct target_set){
        .targets = calloc(max_cnt, sizeof *set->targets),
        .max_cnt = max_cnt,
        .index = calloc(index_size, sizeof *set->index),
        .index_size = index_size,
    };
    if (set->targets == NULL || set->index == NULL) {
        target_set_deinit(set);
        return false;
    }
    return true;
}

void target_set_deinit(struct target_set *set)
{
    free(set->targets);
    free(set->index);
    *set = (struct target_set){0};
}

static uint32_t home_of(const struct target_set *set, uint64_t id)
{
    return (uint32_t)((id * 0x9E3779B97F4A7C15ULL) >> 32) & (set->index_size - 1);
}

static uint32_t find_cell(const struct target_set *set, uint64_t id)
{
    uint32_t cell = home_of(set, id);
    while (set->index[cell] != 0 && set->targets[set->index[cell] - 1].id != id) {
        cell = (cell + 1) & (set->index_size - 1);
    }
    return cell;
}

struct target *target_set_find(struct target_set *set, uint64_t id)
{
    uint32_t at = set->index[find_cell(set, id)];
    return at == 0 ? NULL : &set->targets[at - 1];
}

static struct target *add(struct target_set *set, uint64_t id, int status_filter, uint64_t now_ns)
{
    if (set->cnt == set->max_cnt || set->targets == NULL) {
        set->refused_cnt++;
        return NULL;
    }
    uint32_t cell = find_cell(set, id);
    struct target *target = &set->targets[set->cnt++];
    *target = (struct target){.id = id, .status_filter = status_filter, .last_ns = now_ns};
    set->index[cell] = set->cnt;
    return target;
}

struct target *target_set_join(struct target_set *set, uint64_t id, enum target_origin origin,
                               int status_filter, uint64_t now_ns)
{
    struct target *found = target_set_find(set, id);
    struct target *target = found != NULL ? found : add(set, id, status_filter, now_ns);
    if (target != NULL && origin == TARGET_EXPLICIT) {
        target->origin = TARGET_EXPLICIT;
        target->status_filter = status_filter;
    }
    return target;
}

// Linear probing: what follows the freed cell moves up unless that would put it
// before its home.
static void free_cell(struct target_set *set, uint32_t hole)
{
    uint32_t mask = set->index_size - 1;
    for (uint32_t at = (hole + 1) & mask; set->index[at] != 0; at = (at + 1) & mask) {
        uint32_t home = home_of(set, set->targets[set->index[at] - 1].id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            set->index[hole] = set->index[at];
            hole = at;
        }
    }
    set->index[hole] = 0;
}

void target_set_leave(struct target_set *set, uint64_t id)
{
    uint32_t cell = find_cell(set, id);
    if (set->index[cell] == 0) {
        return;
    }
    uint32_t at = set->index[cell] - 1;
    free_cell(set, cell);
    uint32_t last = --set->cnt;
    if (at != last) {
        set->index[find_cell(set, set->targets[last].id)] = at + 1;
        set->targets[at] = set->targets[last];
    }
}

void target_set_release(struct target_set *set, uint64_t id)
{
    struct target *target = target_set_find(set, id);
    if (target != NULL && target->chosen) {
        target->origin = TARGET_AUTO;
    } else {
        target_set_leave(set, id);
    }
}

static void leave_unchosen(struct target_set *set)
{
    for (uint32_t i = set->cnt; i > 0; i--) {
        struct target *target = &set->targets[i - 1];
        if (target->origin == TARGET_AUTO && !target->chosen) {
            target_set_leave(set, target->id);
        }
    }
}

void target_set_choose(struct target_set *set, const uint64_t *ids, uint32_t cnt, int status_filter,
                       uint64_t now_ns)
{
    for (uint32_t i = 0; i < set->cnt; i++) {
        set->targets[i].chosen = false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        struct target *target = target_set_find(set, ids[i]);
        if (target != NULL) {
            target->chosen = true;
        }
    }
    leave_unchosen(set); // first, so that those who join find room
    for (uint32_t i = 0; i < cnt; i++) {
        struct target *target = target_set_join(set, ids[i], TARGET_AUTO, status_filter, now_ns);
        if (target != NULL) {
            target->chosen = true;
        }
    }
}

struct target *target_set_next(struct target_set *set)
{
    if (set->cnt == 0) {
        return NULL;
    }
    set->cursor = set->cursor < set->cnt ? set->cursor : 0;
    return &set->targets[set->cursor++];
}

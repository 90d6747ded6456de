// SPDX-License-Identifier: Apache-2.0
#include "model/stack_index.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

void stack_index_deinit(struct stack_index *index)
{
    free(index->slots);
    *index = (struct stack_index){0};
}

// Where the node's id is, or would be: there are always free places.
static uint32_t slot_of(const struct stack_index *index, const struct profile_node *nodes,
                        struct profile_node node)
{
    uint64_t hash = ((uint64_t)node.parent << 32 | node.frame) * 0x9E3779B97F4A7C15ULL;
    uint32_t mask = index->slot_cnt - 1;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    while (index->slots[at] != 0) {
        const struct profile_node *there = &nodes[index->slots[at]];
        if (there->parent == node.parent && there->frame == node.frame) {
            break;
        }
        at = (at + 1) & mask;
    }
    return at;
}

stack_id stack_index_find(const struct stack_index *index, const struct profile_node *nodes,
                          struct profile_node node)
{
    return index->cnt == 0 ? 0 : index->slots[slot_of(index, nodes, node)];
}

static bool grow(struct stack_index *index, const struct profile_node *nodes)
{
    struct stack_index old = *index;
    if (old.slot_cnt > UINT32_MAX / 4) {
        return false;
    }
    index->slot_cnt = old.slot_cnt == 0 ? FIRST_SLOTS : old.slot_cnt * 2;
    index->slots = calloc(index->slot_cnt, sizeof *index->slots);
    if (index->slots == NULL) {
        *index = old;
        return false;
    }
    for (uint32_t i = 0; i < old.slot_cnt; i++) {
        if (old.slots[i] != 0) {
            index->slots[slot_of(index, nodes, nodes[old.slots[i]])] = old.slots[i];
        }
    }
    free(old.slots);
    return true;
}

bool stack_index_add(struct stack_index *index, const struct profile_node *nodes, stack_id id)
{
    if (index->cnt >= index->slot_cnt / 2 && !grow(index, nodes)) {
        return false;
    }
    index->slots[slot_of(index, nodes, nodes[id])] = id;
    index->cnt++;
    return true;
}

size_t stack_index_memory_bytes(const struct stack_index *index)
{
    return index->slot_cnt * sizeof *index->slots;
}

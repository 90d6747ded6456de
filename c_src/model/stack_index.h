// SPDX-License-Identifier: Apache-2.0
// Finds the node of a stack by its parent and frame: ids only, in open addressing; what
// they stand for is in the nodes themselves. Grows by doubling. One owner, one thread.
#ifndef FLAME_PROF_MODEL_STACK_INDEX_H
#define FLAME_PROF_MODEL_STACK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t frame_id;
typedef uint32_t stack_id;

// A stack is its leaf's node; the root is nearest to node 0. A parent's id is less
// than that of its children: one pass from the last node to the first sums up totals.
struct profile_node {
    stack_id parent;
    frame_id frame;
};

// A zeroed struct is empty.
struct stack_index {
    stack_id *slots;   // 0 = free
    uint32_t slot_cnt; // a power of two, or 0
    uint32_t cnt;
};

// Harmless twice and on a zeroed struct.
void stack_index_deinit(struct stack_index *index);

// 0 when none of `nodes` that were added is equal to `node`.
stack_id stack_index_find(const struct stack_index *index, const struct profile_node *nodes,
                          struct profile_node node);

// Adds nodes[id], id > 0, which is not there yet. False when out of memory.
bool stack_index_add(struct stack_index *index, const struct profile_node *nodes, stack_id id);

size_t stack_index_memory_bytes(const struct stack_index *index);

#endif

// SPDX-License-Identifier: Apache-2.0
#include "model/stack_index.h"

#include "test.h"

enum { NODES = 100000 };
static struct profile_node nodes[NODES];

static bool add(struct stack_index *index, stack_id id, stack_id parent, frame_id frame)
{
    nodes[id] = (struct profile_node){parent, frame};
    return stack_index_add(index, nodes, id);
}

TEST(empty)
{
    struct stack_index index = {0};
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){0, 1}), 0);
    CHECK_UINT(stack_index_memory_bytes(&index), 0);
    stack_index_deinit(&index);
    stack_index_deinit(&index);
}

// Parent and frame both count, and the order of them.
TEST(tells_apart)
{
    struct stack_index index = {0};
    CHECK(add(&index, 1, 0, 2));
    CHECK(add(&index, 2, 1, 3));
    CHECK(add(&index, 3, 3, 1));
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){0, 2}), 1);
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){1, 3}), 2);
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){3, 1}), 3);
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){2, 0}), 0);
    CHECK_UINT(stack_index_find(&index, nodes, (struct profile_node){1, 2}), 0);
    stack_index_deinit(&index);
}

TEST(finds_all_after_growing)
{
    struct stack_index index = {0};
    uint32_t found = 0;
    for (stack_id id = 1; id < NODES; id++) {
        CHECK(add(&index, id, id / 3, id % 1000));
    }
    for (stack_id id = 1; id < NODES; id++) {
        found += stack_index_find(&index, nodes, nodes[id]) == id;
    }
    CHECK_UINT(found, NODES - 1);
    // Four times what the ids take, at most.
    CHECK(stack_index_memory_bytes(&index) <= 4 * sizeof(stack_id) * NODES);
    stack_index_deinit(&index);
}

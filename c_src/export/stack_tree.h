// SPDX-License-Identifier: Apache-2.0
// The stacks of grouped samples as one tree, categories being its outermost frames: what
// formats hold that refer to a stack by one number. One owner, one thread.
#ifndef FLAME_PROF_EXPORT_STACK_TREE_H
#define FLAME_PROF_EXPORT_STACK_TREE_H

#include "query/function_map.h"
#include "query/sample_groups.h"

enum { STACK_TREE_CODE = -1 }; // a frame is code, not a category

struct stack_tree_frame {
    int level;         // of the categories, or STACK_TREE_CODE
    uint32_t id;       // code of that category, or frame_id
    uint32_t function; // frame of the tree that stands for all lines of this function
};

struct stack_tree_node {
    uint32_t parent; // 0 = it is a root
    uint32_t frame;
};

struct stack_tree {
    const struct profile *profile;      // borrowed
    const struct sample_groups *groups; // borrowed
    struct function_map functions;
    struct stack_tree_frame *frames; // from 0
    uint32_t frame_cnt;
    uint32_t frame_capacity;
    struct stack_tree_node *nodes; // from 1; parents come before their children
    uint32_t node_cnt;             // with [0]
    uint32_t node_capacity;
    uint32_t *leaf_of_group;     // 0 = an empty stack
    struct number_map frame_ids; // index + 1
    struct number_map node_ids;
    struct number_map prefixes; // by node and frame
    stack_id *path;             // scratch
};

// False when out of memory; _deinit is harmless either way.
bool stack_tree_init(struct stack_tree *tree, const struct sample_groups *groups);
void stack_tree_deinit(struct stack_tree *tree);

// The name of a frame, a number into `digits`; its file (0 = none), line and kind
// (PROFILE_FRAME_NOTE of a category).
struct text stack_tree_name(const struct stack_tree *tree, uint32_t frame,
                            char digits[PROFILE_DIGITS_BYTES]);
const struct profile_frame *stack_tree_code(const struct stack_tree *tree, uint32_t frame);

#endif

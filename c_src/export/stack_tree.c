// SPDX-License-Identifier: Apache-2.0
#include "export/stack_tree.h"

#include <stdlib.h>

static bool grow(void **items, uint32_t cnt, uint32_t *capacity, size_t size)
{
    if (cnt < *capacity) {
        return true;
    }
    uint32_t wanted = *capacity == 0 ? 1024 : *capacity * 2;
    void *more = realloc(*items, wanted * size);
    if (more == NULL) {
        return false;
    }
    *items = more;
    *capacity = wanted;
    return true;
}

// UINT32_MAX when out of memory.
static uint32_t frame_of(struct stack_tree *tree, int level, uint32_t id)
{
    uint64_t key = (uint64_t)(level + 1) << 32 | id;
    uint32_t known = number_map_find(&tree->frame_ids, key);
    if (known != 0) {
        return known - 1;
    }
    uint32_t function = tree->frame_cnt;
    frame_id first = level == STACK_TREE_CODE ? tree->functions.of_frame[id] : id;
    if (first != id) {
        function = frame_of(tree, level, first);
    }
    if (function == UINT32_MAX ||
        !grow((void **)&tree->frames, tree->frame_cnt, &tree->frame_capacity,
              sizeof *tree->frames) ||
        !number_map_add(&tree->frame_ids, key, tree->frame_cnt + 1)) {
        return UINT32_MAX;
    }
    tree->frames[tree->frame_cnt] = (struct stack_tree_frame){level, id, function};
    return tree->frame_cnt++;
}

// 0 when out of memory.
static uint32_t add_node(struct stack_tree *tree, struct number_map *ids, uint64_t key,
                         uint32_t parent, uint32_t frame)
{
    if (frame == UINT32_MAX ||
        !grow((void **)&tree->nodes, tree->node_cnt, &tree->node_capacity, sizeof *tree->nodes) ||
        !number_map_add(ids, key, tree->node_cnt)) {
        return 0;
    }
    tree->nodes[tree->node_cnt] = (struct stack_tree_node){parent, frame};
    return tree->node_cnt++;
}

static bool add_prefix(struct stack_tree *tree, const uint32_t *codes, uint32_t *prefix)
{
    for (uint32_t level = 0; level < tree->groups->categories.level_cnt; level++) {
        if (codes[level] == 0) {
            continue;
        }
        uint32_t frame = frame_of(tree, (int)level, codes[level]);
        uint64_t key = (uint64_t)*prefix << 32 | frame;
        uint32_t node = number_map_find(&tree->prefixes, key);
        if (node == 0) {
            node = add_node(tree, &tree->prefixes, key, *prefix, frame);
        }
        if (node == 0) {
            return false;
        }
        *prefix = node;
    }
    return true;
}

// The node of a stack below `prefix`: from the part that is there already downwards.
static bool add_stack(struct stack_tree *tree, uint32_t prefix, stack_id stack, uint32_t *leaf)
{
    const struct profile_node *nodes = tree->profile->dictionary.nodes;
    uint32_t depth = 0;
    uint32_t node = 0;
    for (; stack != 0; stack = nodes[stack].parent) {
        node = number_map_find(&tree->node_ids, (uint64_t)prefix << 32 | stack);
        if (node != 0) {
            break;
        }
        tree->path[depth++] = stack;
    }
    node = node == 0 ? prefix : node;
    while (depth > 0) {
        stack_id at = tree->path[--depth];
        node = add_node(tree, &tree->node_ids, (uint64_t)prefix << 32 | at, node,
                        frame_of(tree, STACK_TREE_CODE, nodes[at].frame));
        if (node == 0) {
            return false;
        }
    }
    *leaf = node;
    return true;
}

bool stack_tree_init(struct stack_tree *tree, const struct sample_groups *groups)
{
    const struct profile *profile = groups->selection->profile;
    *tree = (struct stack_tree){.profile = profile, .groups = groups, .node_cnt = 1};
    tree->leaf_of_group = calloc((size_t)groups->cnt + 1, sizeof *tree->leaf_of_group);
    tree->path = malloc(((size_t)profile->dictionary.node_cnt + 1) * sizeof *tree->path);
    bool ok = function_map_init(&tree->functions, &profile->dictionary) &&
              tree->leaf_of_group != NULL && tree->path != NULL;
    for (uint32_t i = 0; i < groups->cnt && ok; i++) {
        uint32_t codes[CATEGORY_GROUPS_MAX_LEVELS];
        uint32_t prefix = 0;
        category_groups_codes(&groups->categories, groups->groups[i].category, codes);
        ok = add_prefix(tree, codes, &prefix) &&
             add_stack(tree, prefix, groups->groups[i].stack, &tree->leaf_of_group[i]);
    }
    return ok;
}

void stack_tree_deinit(struct stack_tree *tree)
{
    function_map_deinit(&tree->functions);
    number_map_deinit(&tree->frame_ids);
    number_map_deinit(&tree->node_ids);
    number_map_deinit(&tree->prefixes);
    free(tree->frames);
    free(tree->nodes);
    free(tree->leaf_of_group);
    free(tree->path);
    *tree = (struct stack_tree){.profile = NULL};
}

const struct profile_frame *stack_tree_code(const struct stack_tree *tree, uint32_t frame)
{
    static const struct profile_frame CATEGORY = {.kind = PROFILE_FRAME_NOTE};
    const struct stack_tree_frame *of = &tree->frames[frame];
    return of->level == STACK_TREE_CODE ? &tree->profile->dictionary.frames[of->id] : &CATEGORY;
}

struct text stack_tree_name(const struct stack_tree *tree, uint32_t frame,
                            char digits[PROFILE_DIGITS_BYTES])
{
    const struct stack_tree_frame *of = &tree->frames[frame];
    if (of->level != STACK_TREE_CODE) {
        uint32_t dimension = tree->groups->categories.levels[of->level].dimension;
        return profile_code_text(tree->profile, dimension, of->id, digits);
    }
    return profile_text(tree->profile, tree->profile->dictionary.frames[of->id].name);
}

// SPDX-License-Identifier: Apache-2.0
#include "query/flame_diff.h"

#include "base/number_map.h"

#include <stdlib.h>

enum { MAX_STRING_BYTES = 1 << 30 };

struct merger {
    struct flame_diff *diff;
    struct number_map places; // parent and name to node
    struct number_map names;  // text, file (of diff->strings) and kind to a number
    uint32_t name_cnt;
    uint32_t capacity;
    struct error *err;
};

static bool out_of_memory(const struct merger *merger)
{
    return error_set(merger->err, ERROR_NO_MEMORY, "diff: out of memory");
}

static bool add_node(struct merger *merger, const struct flame_diff_node *node, uint32_t *idx)
{
    struct flame_diff *diff = merger->diff;
    if (diff->node_cnt == merger->capacity) {
        uint32_t capacity = merger->capacity == 0 ? 1024 : merger->capacity * 2;
        struct flame_diff_node *nodes = realloc(diff->nodes, (size_t)capacity * sizeof *nodes);
        if (nodes == NULL || capacity < merger->capacity) {
            diff->nodes = nodes != NULL ? nodes : diff->nodes;
            return out_of_memory(merger);
        }
        diff->nodes = nodes;
        merger->capacity = capacity;
    }
    *idx = diff->node_cnt;
    diff->nodes[diff->node_cnt++] = *node;
    return true;
}

// A number for what tells siblings apart.
static bool name_of(struct merger *merger, const struct flame_diff_node *node, uint32_t *name)
{
    // Kinds are two bits; strings are fewer than 2^31 by MAX_STRING_BYTES.
    uint64_t key = (uint64_t)node->text << 33 | (uint64_t)node->file << 2 | node->kind;
    *name = number_map_find(&merger->names, key);
    if (*name != 0) {
        return true;
    }
    *name = ++merger->name_cnt;
    return number_map_add(&merger->names, key, *name) || out_of_memory(merger);
}

static bool place_of(struct merger *merger, const struct flame_diff_node *node, uint32_t *idx)
{
    uint32_t name = 0;
    if (!name_of(merger, node, &name)) {
        return false;
    }
    uint64_t key = (uint64_t)node->parent << 32 | name;
    *idx = number_map_find(&merger->places, key);
    if (*idx != 0) {
        return true;
    }
    return add_node(merger, node, idx) &&
           (number_map_add(&merger->places, key, *idx) || out_of_memory(merger));
}

static bool merge_node(struct merger *merger, const struct flame_graph *graph, uint32_t i,
                       const uint32_t *moved_to, uint32_t *idx)
{
    char digits[PROFILE_DIGITS_BYTES];
    const struct flame_node *node = &graph->nodes[i];
    struct string_table *strings = merger->diff->strings;
    struct flame_diff_node place = {
        .parent = moved_to[node->parent],
        .text = string_table_intern(strings, flame_node_text(graph, node, digits)),
        .file = string_table_intern(strings, flame_node_file(graph, node)),
        .kind = node->kind,
    };
    return place_of(merger, &place, idx);
}

static bool merge(struct merger *merger, const struct flame_graph *graph, enum flame_side side)
{
    uint32_t *moved_to = calloc((size_t)graph->node_cnt + 1, sizeof *moved_to);
    bool ok = true;
    if (moved_to == NULL) {
        return out_of_memory(merger);
    }
    for (uint32_t i = 0; i < graph->node_cnt && ok; i++) {
        ok = i == 0 || merge_node(merger, graph, i, moved_to, &moved_to[i]);
        if (ok) {
            struct flame_diff_node *node = &merger->diff->nodes[moved_to[i]];
            node->self[side] = weight_sum(node->self[side], graph->nodes[i].self);
            node->total[side] = weight_sum(node->total[side], graph->nodes[i].total);
        }
    }
    free(moved_to);
    return ok;
}

static bool find_scale(struct flame_diff *diff, const struct flame_diff_side sides[FLAME_SIDE_CNT],
                       enum flame_diff_norm norm, struct error *err)
{
    double size[FLAME_SIDE_CNT] = {1, 1};
    for (int side = 0; side < FLAME_SIDE_CNT && norm != FLAME_DIFF_RAW; side++) {
        size[side] = norm == FLAME_DIFF_TOTAL ? (double)sides[side].graph->nodes[0].total
                                              : (double)sides[side].duration_ns;
        if (size[side] <= 0) {
            return error_set(err, ERROR_BAD_INPUT,
                             "diff: the %s side has no %s to compare by; use raw weights, another "
                             "range or another metric",
                             side == FLAME_BEFORE ? "first" : "second",
                             norm == FLAME_DIFF_TOTAL ? "weight" : "duration");
        }
    }
    diff->scale[FLAME_BEFORE] = size[FLAME_AFTER] / size[FLAME_BEFORE];
    diff->scale[FLAME_AFTER] = 1;
    return true;
}

bool flame_diff_init(struct flame_diff *diff, const struct flame_diff_side sides[FLAME_SIDE_CNT],
                     enum flame_diff_norm norm, struct error *err)
{
    struct merger merger = {.diff = diff, .err = err};
    uint32_t root = 0;
    *diff = (struct flame_diff){.strings = string_table_create(MAX_STRING_BYTES)};
    struct flame_diff_node node = {.kind = FLAME_NODE_ROOT};
    bool ok = diff->strings != NULL || out_of_memory(&merger);
    if (ok) {
        node.text = string_table_intern(diff->strings, TEXT("all"));
    }
    ok = ok && find_scale(diff, sides, norm, err) && add_node(&merger, &node, &root) &&
         merge(&merger, sides[FLAME_BEFORE].graph, FLAME_BEFORE) &&
         merge(&merger, sides[FLAME_AFTER].graph, FLAME_AFTER);
    number_map_deinit(&merger.places);
    number_map_deinit(&merger.names);
    return ok;
}

void flame_diff_deinit(struct flame_diff *diff)
{
    string_table_destroy(diff->strings);
    free(diff->nodes);
    *diff = (struct flame_diff){.nodes = NULL};
}

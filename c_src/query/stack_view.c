// SPDX-License-Identifier: Apache-2.0
#include "query/stack_view.h"

#include "query/function_map.h"

#include <stdlib.h>
#include <string.h>

// Slots are twice as many as nodes.
enum { FIRST_SLOT_BITS = 12, MAX_SLOT_BITS = 29 };
_Static_assert(STACK_VIEW_MAX_NODES == 1 << (MAX_SLOT_BITS - 1), "else nodes have no slot");

struct maker {
    struct stack_view *view;
    const struct profile_dictionary *dictionary;
    const struct stack_view_options *options;
    const frame_id *of_frame; // NULL = every line for itself
    uint8_t *is_focus;        // by frame; NULL = there is no focus
    stack_id *slots;          // nodes by hash of parent and frame; 0 = free
    uint32_t slot_bits;
    uint32_t capacity; // of nodes: half of the slots
    struct error *err;
};

static bool out_of_memory(const struct maker *maker)
{
    return error_set(maker->err, ERROR_NO_MEMORY, "flame graph: out of memory for its stacks");
}

static frame_id frame_of(const struct maker *maker, stack_id stack)
{
    frame_id frame = maker->dictionary->nodes[stack].frame;
    return maker->of_frame == NULL ? frame : maker->of_frame[frame];
}

// --- nodes --------------------------------------------------------------------

// The slot of a node: its own, or the free one where it belongs.
static inline stack_id *slot_of(const struct maker *maker, struct profile_node node)
{
    const struct profile_node *nodes = maker->view->own_nodes;
    uint64_t hash = ((uint64_t)node.parent << 32 | node.frame) * 0x9E3779B97F4A7C15ULL;
    uint32_t mask = (1U << maker->slot_bits) - 1;
    uint32_t at = (uint32_t)(hash >> (64 - maker->slot_bits));
    while (maker->slots[at] != 0 && (nodes[maker->slots[at]].parent != node.parent ||
                                     nodes[maker->slots[at]].frame != node.frame)) {
        at = (at + 1) & mask;
    }
    return &maker->slots[at];
}

// Room for 2^(bits - 1) nodes.
static bool resize(struct maker *maker, uint32_t bits)
{
    struct stack_view *view = maker->view;
    uint32_t capacity = 1U << (bits - 1);
    struct profile_node *nodes = realloc(view->own_nodes, (size_t)capacity * sizeof *nodes);
    view->own_nodes = nodes != NULL ? nodes : view->own_nodes;
    free(maker->slots);
    maker->slots = calloc((size_t)1 << bits, sizeof *maker->slots);
    if (nodes == NULL || maker->slots == NULL) {
        return out_of_memory(maker);
    }
    maker->slot_bits = bits;
    maker->capacity = capacity;
    for (stack_id i = 1; i < view->node_cnt; i++) {
        *slot_of(maker, nodes[i]) = i;
    }
    return true;
}

static bool grow(struct maker *maker)
{
    if (maker->view->node_cnt < maker->capacity) {
        return true;
    }
    if (maker->capacity >= STACK_VIEW_MAX_NODES) {
        return error_set(maker->err, ERROR_LIMIT,
                         "flame graph: too many different stacks; filter or shorten the range");
    }
    return resize(maker, maker->slot_bits + 1);
}

static bool child_of(struct maker *maker, stack_id parent, frame_id frame, stack_id *child)
{
    struct stack_view *view = maker->view;
    struct profile_node node = {parent, frame};
    stack_id *slot = slot_of(maker, node);
    if (*slot == 0) {
        if (!grow(maker)) {
            return false;
        }
        slot = slot_of(maker, node); // it may have moved
        view->own_nodes[view->node_cnt] = node;
        *slot = view->node_cnt++;
    }
    *child = *slot;
    return true;
}

// --- from the root --------------------------------------------------------------

// The focus begins a stack: what is below it (nearer to the root) is cut off.
static bool make_forward(struct maker *maker)
{
    const struct profile_node *nodes = maker->dictionary->nodes;
    struct stack_view *view = maker->view;
    for (stack_id i = 1; i < maker->dictionary->node_cnt; i++) {
        stack_id parent = nodes[i].parent;
        if (maker->is_focus != NULL) {
            view->own_is_in[i] = view->own_is_in[parent] | maker->is_focus[nodes[i].frame];
            if (view->own_is_in[i] == 0) {
                continue;
            }
        }
        // Of a parent without the focus the map says 0.
        if (!child_of(maker, view->own_map[parent], frame_of(maker, i), &view->own_map[i])) {
            return false;
        }
    }
    return true;
}

// --- from the leaf ---------------------------------------------------------------

// The innermost frame with the focus; the stack itself when there is no focus; 0 when
// it is not on the stack.
static stack_id begin_of(const struct maker *maker, stack_id stack)
{
    const struct profile_node *nodes = maker->dictionary->nodes;
    while (maker->is_focus != NULL && stack != 0 && maker->is_focus[nodes[stack].frame] == 0) {
        stack = nodes[stack].parent;
    }
    return stack;
}

static bool make_reversed(struct maker *maker, const uint8_t *is_used)
{
    const struct profile_node *nodes = maker->dictionary->nodes;
    struct stack_view *view = maker->view;
    for (stack_id i = 1; i < maker->dictionary->node_cnt; i++) {
        if (is_used != NULL && is_used[i] == 0) {
            continue;
        }
        stack_id at = begin_of(maker, i);
        if (maker->is_focus != NULL) {
            view->own_is_in[i] = at != 0;
        }
        for (; at != 0; at = nodes[at].parent) {
            if (!child_of(maker, view->own_map[i], frame_of(maker, at), &view->own_map[i])) {
                return false;
            }
        }
    }
    return true;
}

// --- the whole ------------------------------------------------------------------

static bool find_focus(struct maker *maker)
{
    const struct profile_dictionary *dictionary = maker->dictionary;
    if (maker->options->focus == NULL) {
        return true;
    }
    maker->is_focus = calloc(1, (size_t)dictionary->frame_cnt + 1);
    maker->view->own_is_in = calloc(1, (size_t)dictionary->node_cnt + 1);
    if (maker->is_focus == NULL || maker->view->own_is_in == NULL) {
        return out_of_memory(maker);
    }
    for (frame_id i = 1; i < dictionary->frame_cnt; i++) {
        struct text name = profile_dictionary_text(dictionary, dictionary->frames[i].name);
        maker->is_focus[i] = pattern_matches(maker->options->focus, name);
    }
    maker->view->is_in = maker->view->own_is_in;
    return true;
}

static bool make(struct maker *maker, const uint8_t *is_used)
{
    struct stack_view *view = maker->view;
    view->own_map = calloc((size_t)maker->dictionary->node_cnt + 1, sizeof *view->own_map);
    if (view->own_map == NULL) {
        return out_of_memory(maker);
    }
    uint32_t bits = FIRST_SLOT_BITS;
    while (bits < MAX_SLOT_BITS && 1U << (bits - 1) < maker->dictionary->node_cnt) {
        bits++;
    }
    // From the leaf they have less in common.
    bits += maker->options->is_reversed && bits < MAX_SLOT_BITS;
    if (!find_focus(maker) || !resize(maker, bits)) {
        return false;
    }
    view->own_nodes[view->node_cnt++] = (struct profile_node){0, 0};
    bool ok = maker->options->is_reversed ? make_reversed(maker, is_used) : make_forward(maker);
    view->nodes = view->own_nodes;
    view->of_stack = view->own_map;
    return ok;
}

bool stack_view_init(struct stack_view *view, const struct profile *profile,
                     const struct stack_view_options *options, const uint8_t *is_used,
                     struct error *err)
{
    struct function_map functions = {.is_identity = true};
    struct maker maker = {
        .view = view, .dictionary = &profile->dictionary, .options = options, .err = err};
    *view = (struct stack_view){.nodes = profile->dictionary.nodes,
                                .node_cnt = profile->dictionary.node_cnt};
    bool ok = options->splits_lines || function_map_init(&functions, &profile->dictionary) ||
              out_of_memory(&maker);
    if (ok && (!functions.is_identity || options->is_reversed || options->focus != NULL)) {
        view->nodes = NULL;
        view->node_cnt = 0;
        maker.of_frame = functions.is_identity ? NULL : functions.of_frame;
        ok = make(&maker, is_used);
    }
    free(maker.slots);
    free(maker.is_focus);
    function_map_deinit(&functions);
    return ok;
}

void stack_view_deinit(struct stack_view *view)
{
    free(view->own_nodes);
    free(view->own_map);
    free(view->own_is_in);
    *view = (struct stack_view){.nodes = NULL};
}

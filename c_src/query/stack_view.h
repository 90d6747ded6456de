// SPDX-License-Identifier: Apache-2.0
// The stacks of a profile as a question wants them: without lines, from a function
// on, from the leaf to the root. A trie like the profile's own: a parent's number is
// less than that of its children, 0 is the empty stack. One owner; any number of
// threads may read it once it is made.
#ifndef FLAME_PROF_QUERY_STACK_VIEW_H
#define FLAME_PROF_QUERY_STACK_VIEW_H

#include "base/error.h"
#include "model/profile.h"
#include "query/pattern.h"

#include <stdbool.h>

struct stack_view_options {
    bool splits_lines;     // the lines of a function are frames of their own
    bool is_reversed;      // the leaf is outermost: who calls it
    struct pattern *focus; // borrowed; only from (reversed: to) a function that matches; NULL = all
};

enum { STACK_VIEW_MAX_NODES = 1 << 28 };

struct stack_view {
    const struct profile_node *nodes; // of frames: the first one of its function
    uint32_t node_cnt;
    const stack_id *of_stack; // by the profile's stack; NULL = the same number
    const uint8_t *is_in;     // by the profile's stack: the focus is on it; NULL = all are
    struct profile_node *own_nodes;
    stack_id *own_map;
    uint8_t *own_is_in;
};

// `is_used` (by the profile's stack, NULL = all): those that the map must know; of a
// reversed view only these are made. False, with the reason; _deinit is harmless.
bool stack_view_init(struct stack_view *view, const struct profile *profile,
                     const struct stack_view_options *options, const uint8_t *is_used,
                     struct error *err);
void stack_view_deinit(struct stack_view *view);

static inline stack_id stack_view_of(const struct stack_view *view, stack_id stack)
{
    return view->of_stack == NULL ? stack : view->of_stack[stack];
}

static inline bool stack_view_has(const struct stack_view *view, stack_id stack)
{
    return view->is_in == NULL || view->is_in[stack] != 0;
}

#endif

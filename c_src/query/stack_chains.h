// SPDX-License-Identifier: Apache-2.0
// The stacks of a view as runs of frames: within a chain nothing ends and nothing
// branches among the stacks that are used, so that all of its nodes weigh the same, in
// any group of rows. A fourth as many as nodes, as a rule. At most 13 bytes for a node
// of the view and 4 for a stack of the profile. One owner; any number of threads may
// read it.
#ifndef FLAME_PROF_QUERY_STACK_CHAINS_H
#define FLAME_PROF_QUERY_STACK_CHAINS_H

#include "query/stack_view.h"

#define STACK_CHAIN_NONE UINT32_MAX // of a stack that is not used or not in the view

struct stack_chain {
    uint32_t parent; // less than the chain's own number
    uint32_t begin;  // of its frames, outermost first
    uint32_t end;
};

struct stack_chains {
    struct stack_chain *chains; // [0] is the empty stack
    uint32_t cnt;
    frame_id *frames; // of all chains
    uint32_t frame_cnt;
    uint32_t *of_stack; // by the profile's stack: the chain that ends with it
};

// `is_used` by the profile's stack, of which there are `stack_cnt`. False when out of
// memory; _deinit is harmless either way.
bool stack_chains_init(struct stack_chains *chains, const struct stack_view *view,
                       const uint8_t *is_used, uint32_t stack_cnt);
void stack_chains_deinit(struct stack_chains *chains);

#endif

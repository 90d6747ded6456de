// SPDX-License-Identifier: Apache-2.0
#include "query/stack_chains.h"

#include <stdlib.h>

// What a node of the view is to the stacks that are used.
enum part { NO_PART, PASSES, ENDS };

struct chainer {
    struct stack_chains *chains;
    const struct stack_view *view;
    const uint8_t *is_used;
    uint32_t stack_cnt;
    uint8_t *parts;    // by node of the view: enum part
    uint32_t *of_node; // the chain that ends with it
};

static void mark_used(struct chainer *chainer)
{
    for (stack_id i = 0; i < chainer->stack_cnt; i++) {
        if (chainer->is_used[i] != 0 && stack_view_has(chainer->view, i)) {
            chainer->parts[stack_view_of(chainer->view, i)] = ENDS;
        }
    }
    chainer->parts[0] = ENDS;
}

// A second child makes a branch. Returns how many chains there are.
static uint32_t mark_branches(struct chainer *chainer)
{
    uint8_t *parts = chainer->parts;
    uint32_t cnt = 1;
    for (uint32_t i = chainer->view->node_cnt - 1; i > 0; i--) {
        if (parts[i] != NO_PART) {
            uint8_t *parent = &parts[chainer->view->nodes[i].parent];
            *parent = *parent == NO_PART ? PASSES : ENDS;
            cnt += parts[i] == ENDS;
            chainer->chains->frame_cnt++;
        }
    }
    return cnt;
}

static bool allocate(struct chainer *chainer, uint32_t chain_cnt)
{
    struct stack_chains *chains = chainer->chains;
    chains->chains = malloc(chain_cnt * sizeof *chains->chains);
    chains->frames = malloc(((size_t)chains->frame_cnt + 1) * sizeof *chains->frames);
    chains->of_stack = malloc(((size_t)chainer->stack_cnt + 1) * sizeof *chains->of_stack);
    chainer->of_node = malloc((size_t)chainer->view->node_cnt * sizeof *chainer->of_node);
    return chains->chains != NULL && chains->frames != NULL && chains->of_stack != NULL &&
           chainer->of_node != NULL;
}

static void add_chain(struct chainer *chainer, uint32_t node)
{
    struct stack_chains *chains = chainer->chains;
    const struct profile_node *nodes = chainer->view->nodes;
    uint32_t begin = chains->cnt == 0 ? 0 : chains->chains[chains->cnt - 1].end;
    uint32_t parent = nodes[node].parent;
    uint32_t cnt = 1;
    for (; chainer->parts[parent] != ENDS; parent = nodes[parent].parent) {
        cnt++;
    }
    chainer->of_node[node] = chains->cnt;
    chains->chains[chains->cnt++] =
        (struct stack_chain){chainer->of_node[parent], begin, begin + cnt};
    for (; node != parent; node = nodes[node].parent) {
        chains->frames[begin + --cnt] = nodes[node].frame;
    }
}

static void make_chains(struct chainer *chainer)
{
    struct stack_chains *chains = chainer->chains;
    chains->chains[chains->cnt++] = (struct stack_chain){0, 0, 0};
    chainer->of_node[0] = 0;
    for (uint32_t i = 1; i < chainer->view->node_cnt; i++) {
        if (chainer->parts[i] == ENDS) {
            add_chain(chainer, i);
        }
    }
    for (stack_id i = 0; i < chainer->stack_cnt; i++) {
        bool is_in = chainer->is_used[i] != 0 && stack_view_has(chainer->view, i);
        chains->of_stack[i] =
            is_in ? chainer->of_node[stack_view_of(chainer->view, i)] : STACK_CHAIN_NONE;
    }
}

bool stack_chains_init(struct stack_chains *chains, const struct stack_view *view,
                       const uint8_t *is_used, uint32_t stack_cnt)
{
    struct chainer chainer = {
        .chains = chains, .view = view, .is_used = is_used, .stack_cnt = stack_cnt};
    *chains = (struct stack_chains){.cnt = 0};
    chainer.parts = calloc(1, (size_t)view->node_cnt + 1);
    bool ok = chainer.parts != NULL;
    if (ok) {
        mark_used(&chainer);
        ok = allocate(&chainer, mark_branches(&chainer));
    }
    if (ok) {
        make_chains(&chainer);
    }
    free(chainer.parts);
    free(chainer.of_node);
    return ok;
}

void stack_chains_deinit(struct stack_chains *chains)
{
    free(chains->chains);
    free(chains->frames);
    free(chains->of_stack);
    *chains = (struct stack_chains){.chains = NULL};
}

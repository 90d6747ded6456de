// SPDX-License-Identifier: Apache-2.0
#include "query/query_table.h"

#include "query/function_map.h"
#include "query/stack_sums.h"

#include <stdlib.h>

static bool out_of_memory(struct error *err)
{
    return error_set(err, ERROR_NO_MEMORY, "table: out of memory");
}

static int64_t signed_sum(const struct stack_sum *sum)
{
    return (int64_t)((uint64_t)sum->gain - (uint64_t)sum->drop);
}

static void take_totals(struct query_table *table, const struct stack_sums *sums)
{
    table->total = sums->total;
    table->sample_cnt = sums->row_cnt;
    table->lacking_cnt = sums->lacking_cnt;
    for (uint64_t i = 0; i < sums->cnt; i++) {
        table->magnitude += (uint64_t)sums->sums[i].gain + (uint64_t)sums->sums[i].drop;
    }
}

static uint64_t size_of(int64_t weight)
{
    return weight < 0 ? 0 - (uint64_t)weight : (uint64_t)weight;
}

static int by_weight(const void *left, const void *right)
{
    const struct table_row *a = left;
    const struct table_row *b = right;
    if (a->self != b->self) {
        return size_of(a->self) > size_of(b->self) ||
                       (size_of(a->self) == size_of(b->self) && a->self > b->self)
                   ? -1
                   : 1;
    }
    if (a->total != b->total) {
        return size_of(a->total) >= size_of(b->total) ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

// Drops ids without samples.
static void order(struct query_table *table, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (table->rows[i].row_cnt > 0) {
            table->rows[table->row_cnt++] = table->rows[i];
        }
    }
    qsort(table->rows, table->row_cnt, sizeof table->rows[0], by_weight);
}

static bool make_rows(struct query_table *table, uint32_t cnt)
{
    table->rows = calloc((size_t)cnt + 1, sizeof *table->rows);
    for (uint32_t i = 0; i < cnt && table->rows != NULL; i++) {
        table->rows[i].id = i;
    }
    return table->rows != NULL;
}

// --- functions ----------------------------------------------------------------

// Per stack: weight and samples of it and of all that is above it.
struct subtree {
    int64_t total;
    uint64_t row_cnt;
    stack_id first_child;
    stack_id next_sibling;
};

struct walk {
    const struct profile_node *nodes;
    const frame_id *of_frame;
    struct subtree *subtrees;
    uint32_t *depth_in; // by function: how often it is on the path
    struct table_row *rows;
};

static void sum_subtrees(struct walk *walk, const struct stack_sums *sums, uint32_t node_cnt)
{
    for (uint64_t i = 0; i < sums->cnt; i++) {
        const struct stack_sum *sum = &sums->sums[i];
        struct table_row *row = &walk->rows[walk->of_frame[walk->nodes[sum->stack].frame]];
        walk->subtrees[sum->stack].total = signed_sum(sum);
        walk->subtrees[sum->stack].row_cnt = sum->row_cnt;
        row->self = weight_sum(row->self, signed_sum(sum));
    }
    for (stack_id i = node_cnt - 1; i > 0; i--) {
        struct subtree *parent = &walk->subtrees[walk->nodes[i].parent];
        parent->total = weight_sum(parent->total, walk->subtrees[i].total);
        parent->row_cnt += walk->subtrees[i].row_cnt;
        walk->subtrees[i].next_sibling = parent->first_child;
        parent->first_child = i;
    }
}

static void enter(struct walk *walk, stack_id stack)
{
    frame_id function = walk->of_frame[walk->nodes[stack].frame];
    if (walk->depth_in[function]++ == 0) {
        struct table_row *row = &walk->rows[function];
        row->total = weight_sum(row->total, walk->subtrees[stack].total);
        row->row_cnt += walk->subtrees[stack].row_cnt;
    }
}

// Depth first, without recursion: the outermost of a function's frames counts.
static void sum_functions(struct walk *walk)
{
    stack_id at = walk->subtrees[0].first_child;
    while (at != 0) {
        enter(walk, at);
        if (walk->subtrees[at].first_child != 0) {
            at = walk->subtrees[at].first_child;
            continue;
        }
        while (at != 0) {
            walk->depth_in[walk->of_frame[walk->nodes[at].frame]]--;
            if (walk->subtrees[at].next_sibling != 0) {
                at = walk->subtrees[at].next_sibling;
                break;
            }
            at = walk->nodes[at].parent;
        }
    }
}

// Samples without any stack are in row 0.
static void sum_stackless(struct walk *walk, const struct stack_sums *sums)
{
    for (uint64_t i = 0; i < sums->cnt; i++) {
        if (sums->sums[i].stack == 0) {
            walk->rows[0].total = signed_sum(&sums->sums[i]);
            walk->rows[0].row_cnt = sums->sums[i].row_cnt;
        }
    }
}

bool query_table_functions(struct query_table *table, const struct selection *selection,
                           struct weight weight, struct error *err)
{
    const struct profile_dictionary *dictionary = &selection->profile->dictionary;
    struct function_map functions = {.of_frame = NULL};
    struct stack_sums sums;
    *table = (struct query_table){.row_cnt = 0};
    if (!stack_sums_init(&sums, selection, weight, NULL, 0, err)) {
        stack_sums_deinit(&sums);
        return false;
    }
    take_totals(table, &sums);
    struct walk walk = {.nodes = dictionary->nodes};
    walk.subtrees = calloc((size_t)dictionary->node_cnt + 1, sizeof *walk.subtrees);
    walk.depth_in = calloc((size_t)dictionary->frame_cnt + 1, sizeof *walk.depth_in);
    bool ok = walk.subtrees != NULL && walk.depth_in != NULL &&
              function_map_init(&functions, dictionary) && make_rows(table, dictionary->frame_cnt);
    if (ok) {
        walk.of_frame = functions.of_frame;
        walk.rows = table->rows;
        sum_subtrees(&walk, &sums, dictionary->node_cnt);
        sum_functions(&walk);
        sum_stackless(&walk, &sums);
        order(table, dictionary->frame_cnt);
    }
    free(walk.subtrees);
    free(walk.depth_in);
    function_map_deinit(&functions);
    stack_sums_deinit(&sums);
    return ok || out_of_memory(err);
}

// --- dimensions -----------------------------------------------------------------

bool query_table_dimension(struct query_table *table, const struct selection *selection,
                           struct weight weight, uint32_t dimension, struct error *err)
{
    uint32_t cnt = selection->profile->dimensions[dimension].value_cnt;
    struct stack_sums sums;
    *table = (struct query_table){.row_cnt = 0};
    bool ok = stack_sums_init(&sums, selection, weight, &dimension, 1, err) &&
              (make_rows(table, cnt) || out_of_memory(err));
    if (ok) {
        take_totals(table, &sums);
        for (uint64_t i = 0; i < sums.cnt; i++) {
            uint32_t code = 0;
            category_groups_codes(&sums.groups, sums.sums[i].group, &code);
            struct table_row *row = &table->rows[code];
            row->self = weight_sum(row->self, signed_sum(&sums.sums[i]));
            row->total = row->self;
            row->row_cnt += sums.sums[i].row_cnt;
        }
        order(table, cnt);
    }
    stack_sums_deinit(&sums);
    return ok;
}

void query_table_deinit(struct query_table *table)
{
    free(table->rows);
    *table = (struct query_table){.rows = NULL};
}

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

static void add_weight(struct query_table *table, struct table_row *row, int64_t weight)
{
    row->self = weight_sum(row->self, weight);
    row->row_cnt++;
    table->total = weight_sum(table->total, weight);
    table->magnitude += size_of(weight);
    table->sample_cnt++;
}

static void add_block(struct query_table *table, const struct selection *selection,
                      const struct weight_reader *reader, const struct profile_column *codes,
                      uint64_t first, uint32_t cnt)
{
    int64_t weights[WEIGHT_BLOCK_ROWS];
    int64_t code[WEIGHT_BLOCK_ROWS];
    weight_read(reader, first, cnt, weights);
    profile_column_read(codes, first, cnt, code);
    for (uint32_t i = 0; i < cnt; i++) {
        if (!selection_has(selection, first + i)) {
            continue;
        }
        if (weight_is_present(reader, first + i)) {
            add_weight(table, &table->rows[code[i]], weights[i]);
        } else {
            table->lacking_cnt++;
        }
    }
}

bool query_table_dimension(struct query_table *table, const struct selection *selection,
                           struct weight weight, uint32_t dimension, struct error *err)
{
    const struct profile_dimension *of = &selection->profile->dimensions[dimension];
    struct weight_reader reader;
    *table = (struct query_table){.row_cnt = 0};
    if (!weight_open(selection->profile, weight, &reader, err)) {
        return false;
    }
    if (!make_rows(table, of->value_cnt)) {
        return out_of_memory(err);
    }
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = selection->end - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        add_block(table, selection, &reader, &of->codes, at, cnt);
    }
    for (uint32_t i = 0; i < of->value_cnt; i++) {
        table->rows[i].total = table->rows[i].self;
    }
    order(table, of->value_cnt);
    return true;
}

void query_table_deinit(struct query_table *table)
{
    free(table->rows);
    *table = (struct query_table){.rows = NULL};
}

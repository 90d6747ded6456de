// SPDX-License-Identifier: Apache-2.0
#include "query/stack_sums.h"

#include <stdlib.h>
#include <string.h>

// Of one stack. Weights >= 0 and < 0 apart, so that no branch depends on the sign.
struct stack_total {
    uint64_t half[2];
    uint64_t row_cnt;
};

struct adder {
    struct stack_sums *sums;
    const struct selection *selection;
    struct weight_reader reader;
    bool takes_all;
    struct stack_total *totals; // by stack
    stack_id *touched;          // stacks of the present group; NULL: there are no groups
    uint64_t capacity;          // of sums->sums
    // Of the rows of a block that are taken.
    stack_id stack[WEIGHT_BLOCK_ROWS];
    int64_t weight[WEIGHT_BLOCK_ROWS];
    // Of all of them.
    uint32_t *group_of; // in the order of time
    uint64_t *end;      // by group: behind its last one
    stack_id *stacks;   // by group, and within a group in the order of time
    int64_t *weights;   // the same; NULL: all are `same`
    int64_t same;
    struct error *err;
};

static bool out_of_memory(const struct adder *adder)
{
    return error_set(adder->err, ERROR_NO_MEMORY, "query: out of memory for sums");
}

// --- rows ---------------------------------------------------------------------

static inline uint32_t takes(const struct adder *adder, uint64_t row)
{
    return (uint32_t)selection_has(adder->selection, row) &
           (uint32_t)weight_is_present(&adder->reader, row);
}

// Fills stack and weight with those of a block that are taken; returns how many.
static uint32_t take_block(struct adder *adder, uint64_t first, uint32_t cnt)
{
    const stack_id *stack = adder->selection->profile->stack + first;
    uint32_t taken = 0;
    weight_read(&adder->reader, first, cnt, adder->weight);
    if (adder->takes_all) {
        memcpy(adder->stack, stack, cnt * sizeof *stack);
        return cnt;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        adder->stack[taken] = stack[i];
        adder->weight[taken] = adder->weight[i];
        taken += takes(adder, first + i);
    }
    return taken;
}

static uint32_t block_at(const struct adder *adder, uint64_t row)
{
    uint64_t rest = adder->selection->end - row;
    return rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : (uint32_t)WEIGHT_BLOCK_ROWS;
}

static inline void add(struct stack_total *total, int64_t weight)
{
    uint64_t is_drop = (uint64_t)weight >> 63;
    total->half[is_drop] += ((uint64_t)weight ^ (0 - is_drop)) + is_drop;
    total->row_cnt++;
}

// --- sums ---------------------------------------------------------------------

static bool reserve_sums(struct adder *adder, uint64_t cnt)
{
    uint64_t want = adder->sums->cnt + cnt;
    if (want <= adder->capacity) {
        return true;
    }
    uint64_t capacity = want + want / 2 + 1024;
    struct stack_sum *sums = realloc(adder->sums->sums, capacity * sizeof *sums);
    if (sums == NULL) {
        return out_of_memory(adder);
    }
    adder->sums->sums = sums;
    adder->capacity = capacity;
    return true;
}

static void put_sum(struct stack_sums *sums, stack_id stack, uint32_t group,
                    const struct stack_total *total)
{
    sums->row_cnt += total->row_cnt;
    sums->total = (int64_t)((uint64_t)sums->total + total->half[0] - total->half[1]);
    sums->has_drops |= total->half[1] != 0;
    sums->sums[sums->cnt++] = (struct stack_sum){
        .stack = stack,
        .group = group,
        .gain = (int64_t)total->half[0],
        .drop = (int64_t)total->half[1],
        .row_cnt = total->row_cnt,
    };
}

// --- all rows as one group ------------------------------------------------------

static bool sum_all(struct adder *adder)
{
    uint32_t node_cnt = adder->selection->profile->dictionary.node_cnt;
    for (uint64_t at = adder->selection->first; at < adder->selection->end;
         at += WEIGHT_BLOCK_ROWS) {
        uint32_t taken = take_block(adder, at, block_at(adder, at));
        for (uint32_t i = 0; i < taken; i++) {
            add(&adder->totals[adder->stack[i]], adder->weight[i]);
        }
    }
    if (!reserve_sums(adder, node_cnt)) {
        return false;
    }
    for (stack_id i = 0; i < node_cnt; i++) {
        if (adder->totals[i].row_cnt > 0) {
            put_sum(adder->sums, i, 0, &adder->totals[i]);
        }
    }
    return true;
}

// --- group by group: rows are put into the order of their groups first -------------

// The group of each row that is taken; returns how many, UINT64_MAX when out of memory.
static uint64_t find_groups(struct adder *adder)
{
    const struct selection *selection = adder->selection;
    uint64_t taken_cnt = 0;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t cnt = block_at(adder, at);
        uint32_t *group = adder->group_of + taken_cnt;
        uint32_t taken = adder->takes_all ? cnt : 0;
        if (!category_groups_read(&adder->sums->groups, at, cnt, group)) {
            return UINT64_MAX;
        }
        for (uint32_t i = 0; i < cnt && !adder->takes_all; i++) {
            group[taken] = group[i];
            taken += takes(adder, at + i);
        }
        taken_cnt += taken;
    }
    return taken_cnt;
}

// `end` of each group becomes its begin, in which rows are then counted up to its end.
static void count_groups(struct adder *adder, uint64_t taken_cnt, uint32_t group_cnt)
{
    for (uint64_t i = 0; i < taken_cnt; i++) {
        adder->end[adder->group_of[i] + 1]++;
    }
    for (uint32_t i = 0; i < group_cnt; i++) {
        adder->end[i + 1] += adder->end[i];
    }
}

static void order_rows(struct adder *adder)
{
    const struct selection *selection = adder->selection;
    const uint32_t *group = adder->group_of;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t taken = take_block(adder, at, block_at(adder, at));
        for (uint32_t i = 0; i < taken; i++) {
            uint64_t to = adder->end[group[i]]++;
            adder->stacks[to] = adder->stack[i];
            if (adder->weights != NULL) {
                adder->weights[to] = adder->weight[i];
            }
        }
        group += taken;
    }
}

static bool sum_group(struct adder *adder, uint32_t group, uint64_t begin, uint64_t end)
{
    uint32_t touched_cnt = 0;
    for (uint64_t i = begin; i < end; i++) {
        struct stack_total *total = &adder->totals[adder->stacks[i]];
        adder->touched[touched_cnt] = adder->stacks[i];
        touched_cnt += total->row_cnt == 0 ? 1 : 0;
        add(total, adder->weights != NULL ? adder->weights[i] : adder->same);
    }
    if (!reserve_sums(adder, touched_cnt)) {
        return false;
    }
    for (uint32_t i = 0; i < touched_cnt; i++) {
        struct stack_total *total = &adder->totals[adder->touched[i]];
        put_sum(adder->sums, adder->touched[i], group, total);
        *total = (struct stack_total){.row_cnt = 0};
    }
    return true;
}

static bool sum_groups(struct adder *adder, uint64_t taken_cnt)
{
    uint32_t group_cnt = category_groups_count(&adder->sums->groups);
    uint32_t node_cnt = adder->selection->profile->dictionary.node_cnt;
    bool is_same = adder->reader.column == NULL || adder->reader.column->width == 0;
    adder->end = calloc((size_t)group_cnt + 1, sizeof *adder->end);
    adder->touched = malloc(((size_t)node_cnt + 1) * sizeof *adder->touched);
    adder->stacks = malloc((taken_cnt + 1) * sizeof *adder->stacks);
    adder->weights = is_same ? NULL : malloc((taken_cnt + 1) * sizeof *adder->weights);
    if (adder->end == NULL || adder->touched == NULL || adder->stacks == NULL ||
        (adder->weights == NULL && !is_same)) {
        return out_of_memory(adder);
    }
    count_groups(adder, taken_cnt, group_cnt);
    order_rows(adder);
    adder->same = adder->weight[0];
    bool ok = true;
    for (uint32_t i = 0; i < group_cnt && ok; i++) {
        ok = sum_group(adder, i, i == 0 ? 0 : adder->end[i - 1], adder->end[i]);
    }
    return ok;
}

static bool sum_by_group(struct adder *adder)
{
    // Blocks are written whole, also the last one.
    uint64_t most = adder->selection->row_cnt + WEIGHT_BLOCK_ROWS;
    adder->group_of = malloc(most * sizeof *adder->group_of);
    uint64_t taken_cnt = adder->group_of == NULL ? UINT64_MAX : find_groups(adder);
    return taken_cnt == UINT64_MAX ? out_of_memory(adder) : sum_groups(adder, taken_cnt);
}

// --- the whole ----------------------------------------------------------------

bool stack_sums_init(struct stack_sums *sums, const struct selection *selection,
                     struct weight weight, const uint32_t *dimensions, uint32_t dimension_cnt,
                     struct error *err)
{
    struct adder *adder = calloc(1, sizeof *adder);
    *sums = (struct stack_sums){.cnt = 0};
    category_groups_init(&sums->groups, selection->profile, dimensions, dimension_cnt);
    if (adder == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "query: out of memory for sums");
    }
    adder->sums = sums;
    adder->selection = selection;
    adder->err = err;
    adder->totals =
        calloc((size_t)selection->profile->dictionary.node_cnt + 1, sizeof *adder->totals);
    bool ok = (adder->totals != NULL || out_of_memory(adder)) &&
              weight_open(selection->profile, weight, &adder->reader, err);
    if (ok) {
        adder->takes_all = selection->mask == NULL && adder->reader.metric == NULL;
        ok = dimension_cnt == 0 ? sum_all(adder) : sum_by_group(adder);
        sums->lacking_cnt = selection->row_cnt - sums->row_cnt;
    }
    free(adder->totals);
    free(adder->touched);
    free(adder->group_of);
    free(adder->end);
    free(adder->stacks);
    free(adder->weights);
    free(adder);
    return ok;
}

void stack_sums_deinit(struct stack_sums *sums)
{
    category_groups_deinit(&sums->groups);
    free(sums->sums);
    *sums = (struct stack_sums){.sums = NULL};
}

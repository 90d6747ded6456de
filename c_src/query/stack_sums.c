// SPDX-License-Identifier: Apache-2.0
#include "query/stack_sums.h"

#include <stdlib.h>
#include <string.h>

// The slots that a stack had last: mostly it stays in a few groups.
enum { RECENT_CNT = 4 };

struct recent {
    uint32_t group;
    uint32_t slot; // 0 = none yet
};

// What is enough for a stack where nothing is negative: half as much memory to visit.
struct plain_sum {
    int64_t sum;
    uint64_t row_cnt;
};

struct adder {
    struct stack_sums *sums;
    const struct selection *selection;
    struct weight_reader reader;
    struct recent *recent;   // RECENT_CNT by stack; NULL: the slot is the stack
    struct plain_sum *plain; // by stack; NULL: there are groups or negative weights
    struct number_map ids;   // group and stack to slot
    uint64_t slot_cnt;       // slot 0 stays unused where recent is used
    uint64_t capacity;
    struct error *err;
};

static bool out_of_memory(const struct adder *adder)
{
    return error_set(adder->err, ERROR_NO_MEMORY, "query: out of memory for sums");
}

// --- slots --------------------------------------------------------------------

static bool new_slot(struct adder *adder, stack_id stack, uint32_t group, uint32_t *slot)
{
    struct stack_sums *sums = adder->sums;
    if (adder->slot_cnt == adder->capacity) {
        uint64_t capacity = adder->capacity * 2;
        struct stack_sum *grown = realloc(sums->sums, capacity * sizeof *grown);
        if (grown == NULL || capacity > UINT32_MAX) {
            sums->sums = grown != NULL ? grown : sums->sums;
            return out_of_memory(adder);
        }
        sums->sums = grown;
        adder->capacity = capacity;
    }
    *slot = (uint32_t)adder->slot_cnt++;
    sums->sums[*slot] = (struct stack_sum){.stack = stack, .group = group};
    return number_map_add(&adder->ids, (uint64_t)group << 32 | stack, *slot) ||
           out_of_memory(adder);
}

static bool slot_of(struct adder *adder, stack_id stack, uint32_t group, uint32_t *slot)
{
    struct recent *recent = &adder->recent[(size_t)stack * RECENT_CNT + group % RECENT_CNT];
    if (recent->slot == 0 || recent->group != group) {
        recent->group = group;
        recent->slot = number_map_find(&adder->ids, (uint64_t)group << 32 | stack);
        if (recent->slot == 0 && !new_slot(adder, stack, group, &recent->slot)) {
            return false;
        }
    }
    *slot = recent->slot;
    return true;
}

// --- rows ---------------------------------------------------------------------

static void add(struct stack_sum *sum, int64_t weight)
{
    sum->row_cnt++;
    if (weight >= 0) {
        sum->gain = weight_sum(sum->gain, weight);
    } else {
        sum->drop = (int64_t)((uint64_t)sum->drop - (uint64_t)weight);
    }
}

static bool takes(struct adder *adder, uint64_t row)
{
    if (!selection_has(adder->selection, row)) {
        return false;
    }
    bool is_there = weight_is_present(&adder->reader, row);
    adder->sums->lacking_cnt += is_there ? 0 : 1;
    return is_there;
}

// One group, nothing negative.
static void add_plain(struct adder *adder, uint64_t first, uint32_t cnt, const int64_t *weights)
{
    const stack_id *stack = adder->selection->profile->stack + first;
    struct plain_sum *plain = adder->plain;
    bool takes_all = adder->selection->mask == NULL && adder->reader.metric == NULL;
    for (uint32_t i = 0; i < cnt; i++) {
        if (takes_all || takes(adder, first + i)) {
            plain[stack[i]].sum = weight_sum(plain[stack[i]].sum, weights[i]);
            plain[stack[i]].row_cnt++;
        }
    }
}

static bool add_block(struct adder *adder, uint64_t first, uint32_t cnt)
{
    int64_t weights[WEIGHT_BLOCK_ROWS];
    uint32_t group[WEIGHT_BLOCK_ROWS];
    weight_read(&adder->reader, first, cnt, weights);
    if (adder->plain != NULL) {
        add_plain(adder, first, cnt, weights);
        return true;
    }
    if (adder->recent != NULL && !category_groups_read(&adder->sums->groups, first, cnt, group)) {
        return out_of_memory(adder);
    }
    const stack_id *stack = adder->selection->profile->stack + first;
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t slot = stack[i];
        if (!takes(adder, first + i)) {
            continue;
        }
        if (adder->recent != NULL && !slot_of(adder, stack[i], group[i], &slot)) {
            return false;
        }
        add(&adder->sums->sums[slot], weights[i]);
    }
    return true;
}

static bool add_rows(struct adder *adder)
{
    const struct selection *selection = adder->selection;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = selection->end - at;
        uint32_t cnt = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        if (!add_block(adder, at, cnt)) {
            return false;
        }
    }
    return true;
}

// --- the whole ----------------------------------------------------------------

static bool allocate(struct adder *adder)
{
    const struct profile_dictionary *dictionary = &adder->selection->profile->dictionary;
    bool is_grouped = adder->sums->groups.level_cnt > 0;
    adder->capacity = is_grouped ? 4096 : (uint64_t)dictionary->node_cnt + 1;
    adder->sums->sums = calloc(adder->capacity, sizeof *adder->sums->sums);
    adder->slot_cnt = is_grouped ? 1 : dictionary->node_cnt;
    if (is_grouped) {
        adder->recent =
            calloc(((size_t)dictionary->node_cnt + 1) * RECENT_CNT, sizeof *adder->recent);
    } else if (!weight_may_be_negative(&adder->reader)) {
        adder->plain = calloc((size_t)dictionary->node_cnt + 1, sizeof *adder->plain);
        if (adder->plain == NULL) {
            return out_of_memory(adder);
        }
    }
    if (adder->sums->sums == NULL || (is_grouped && adder->recent == NULL)) {
        return out_of_memory(adder);
    }
    for (uint64_t i = 0; i < adder->slot_cnt; i++) {
        adder->sums->sums[i] = (struct stack_sum){.stack = (stack_id)i};
    }
    return true;
}

// Drops the slots without rows.
static void compact(struct adder *adder)
{
    struct stack_sums *sums = adder->sums;
    for (uint64_t i = 0; i < adder->slot_cnt; i++) {
        struct stack_sum *sum = &sums->sums[i];
        if (adder->plain != NULL) {
            sum->gain = adder->plain[i].sum;
            sum->row_cnt = adder->plain[i].row_cnt;
        }
        if (sum->row_cnt > 0) {
            sums->row_cnt += sum->row_cnt;
            sums->total =
                (int64_t)((uint64_t)sums->total + (uint64_t)sum->gain - (uint64_t)sum->drop);
            sums->sums[sums->cnt++] = *sum;
        }
    }
}

// Groups are dense: each goes to its place.
static bool order_by_group(struct adder *adder)
{
    struct stack_sums *sums = adder->sums;
    uint32_t group_cnt = category_groups_count(&sums->groups);
    uint64_t *at = calloc((size_t)group_cnt + 1, sizeof *at);
    struct stack_sum *ordered = malloc((sums->cnt + 1) * sizeof *ordered);
    if (at == NULL || ordered == NULL) {
        free(at);
        free(ordered);
        return out_of_memory(adder);
    }
    for (uint64_t i = 0; i < sums->cnt; i++) {
        at[sums->sums[i].group + 1]++;
    }
    for (uint32_t i = 0; i < group_cnt; i++) {
        at[i + 1] += at[i];
    }
    for (uint64_t i = 0; i < sums->cnt; i++) {
        ordered[at[sums->sums[i].group]++] = sums->sums[i];
    }
    free(at);
    free(sums->sums);
    sums->sums = ordered;
    return true;
}

bool stack_sums_init(struct stack_sums *sums, const struct selection *selection,
                     struct weight weight, const uint32_t *dimensions, uint32_t dimension_cnt,
                     struct error *err)
{
    struct adder adder = {.sums = sums, .selection = selection, .err = err};
    *sums = (struct stack_sums){.cnt = 0};
    category_groups_init(&sums->groups, selection->profile, dimensions, dimension_cnt);
    bool ok = weight_open(selection->profile, weight, &adder.reader, err) && allocate(&adder) &&
              add_rows(&adder);
    if (ok) {
        compact(&adder);
        ok = dimension_cnt == 0 || order_by_group(&adder);
    }
    number_map_deinit(&adder.ids);
    free(adder.recent);
    free(adder.plain);
    return ok;
}

void stack_sums_deinit(struct stack_sums *sums)
{
    category_groups_deinit(&sums->groups);
    free(sums->sums);
    *sums = (struct stack_sums){.sums = NULL};
}

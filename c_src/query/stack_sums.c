// SPDX-License-Identifier: Apache-2.0
#include "query/stack_sums.h"

#include "base/big_memory.h"
#include "query/stack_total.h"

#include <stdlib.h>
#include <string.h>

// Sums are ordered by stack where a table of all groups fits into the first. It is made,
// where it fits into the second or is one of counts: few of a profile's stacks have rows
// of their own, and what is used of it is near.
enum { MAX_SORTED_BYTES = 32 << 20, MAX_DIRECT_BYTES = 12 << 20 };

// Rows of a group that the memory is made ready for, as it goes on somewhere else.
enum { AHEAD_BYTES = 64 };

struct adder {
    struct stack_sums *sums;
    const struct selection *selection;
    struct weight_reader reader;
    uint32_t node_cnt;
    bool is_grouped;
    bool has_one_weight;        // all rows weigh `weight[0]`
    bool is_narrow;             // weights are 32 bits
    uint32_t most_groups;       // there can be; 0 = too many for one table
    struct stack_total *totals; // by stack and group (if all fit), else by stack or rank
    struct light_total *lights; // the same of light weights
    uint32_t light_shift;       // 0 = they are not
    uint32_t *counts;           // the same where there is one weight: rows
    // Of the rows of a block that are taken.
    const stack_id *stack; // `kept`, or the profile's own where all are
    stack_id kept[WEIGHT_BLOCK_ROWS];
    uint32_t group[WEIGHT_BLOCK_ROWS];
    int64_t weight[WEIGHT_BLOCK_ROWS];
    uint8_t is_taken[WEIGHT_BLOCK_ROWS]; // of all rows of it
    // Of all rows that are taken, where groups come one by one.
    uint32_t *group_of; // in the order of time
    uint32_t *counters; // TURNS for each group
    uint32_t counter_cnt;
    uint32_t *end;     // by group: behind its last one
    stack_id *stacks;  // by group, and within a group in the order of time
    int64_t *weights;  // the same; NULL: there is one, or they are narrow
    uint64_t *rows;    // the same, stack and narrow weight; NULL: they are not
    bool is_sorted;    // the sums of a group by stack, not by their first row
    stack_id *touched; // stacks of the present group
    // Where sums are sorted: stacks with rows, from 1, as they come, by stack. Few of a
    // profile's have rows of their own, and sums by rank are close together.
    uint32_t *ranks;
    uint32_t rank_cnt;
    struct error *err;
};

static bool out_of_memory(const struct adder *adder)
{
    return error_set(adder->err, ERROR_NO_MEMORY, "query: out of memory for sums");
}

// --- rows ---------------------------------------------------------------------

// 1 for each row of a block that is taken; NULL = all are.
static const uint8_t *taken_rows(struct adder *adder, uint64_t first, uint32_t cnt)
{
    const struct selection *selection = adder->selection;
    const uint8_t *mask =
        selection->mask == NULL ? NULL : selection->mask + (first - selection->first);
    if (adder->reader.metric == NULL) {
        return mask;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        adder->is_taken[i] = (mask == NULL || mask[i] != 0) &&
                             profile_metric_present(adder->reader.metric, first + i);
    }
    return adder->is_taken;
}

// In place or not; returns how many.
static uint32_t keep(uint32_t *kept, const uint32_t *of, const uint8_t *is_taken, uint32_t cnt)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        kept[taken] = of[i];
        taken += is_taken[i];
    }
    return taken;
}

static void read_weights(struct adder *adder, uint64_t first, uint32_t cnt, const uint8_t *is_taken)
{
    uint32_t taken = 0;
    weight_read(&adder->reader, first, adder->has_one_weight ? 1 : cnt, adder->weight);
    for (uint32_t i = 0; i < cnt && is_taken != NULL && !adder->has_one_weight; i++) {
        adder->weight[taken] = adder->weight[i];
        taken += is_taken[i];
    }
}

// Fills stack and weight with those of a block that are taken; returns how many.
static uint32_t take_block(struct adder *adder, uint64_t first, uint32_t cnt)
{
    const uint8_t *is_taken = taken_rows(adder, first, cnt);
    read_weights(adder, first, cnt, is_taken);
    adder->stack = adder->selection->profile->stack + first;
    if (is_taken == NULL) {
        return cnt;
    }
    uint32_t taken = keep(adder->kept, adder->stack, is_taken, cnt);
    adder->stack = adder->kept;
    return taken;
}

// The groups of those rows, and how many they are. False when out of memory.
static bool take_groups(struct adder *adder, uint64_t first, uint32_t cnt, uint32_t *taken)
{
    if (!category_groups_read(&adder->sums->groups, first, cnt, adder->group)) {
        return out_of_memory(adder);
    }
    const uint8_t *is_taken = taken_rows(adder, first, cnt);
    *taken = is_taken == NULL ? cnt : keep(adder->group, adder->group, is_taken, cnt);
    return true;
}

static uint32_t block_at(const struct adder *adder, uint64_t row)
{
    uint64_t rest = adder->selection->end - row;
    return rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : (uint32_t)WEIGHT_BLOCK_ROWS;
}

static struct stack_total total_at(const struct adder *adder, uint64_t slot)
{
    struct stack_total total = {.row_cnt = 0};
    if (adder->lights != NULL) {
        return light_total_apart(adder->lights[slot], adder->light_shift);
    }
    if (adder->counts == NULL) {
        return adder->totals[slot];
    }
    stack_total_add(&total, adder->weight[0]);
    total.row_cnt = adder->counts[slot];
    total.half[0] *= total.row_cnt;
    total.half[1] *= total.row_cnt;
    return total;
}

// --- sums ---------------------------------------------------------------------

static void put_sum(struct stack_sums *sums, stack_id stack, struct stack_total total)
{
    sums->is_used[stack] = 1;
    sums->row_cnt += total.row_cnt;
    sums->total = (int64_t)((uint64_t)sums->total + total.half[0] - total.half[1]);
    sums->has_drops |= total.half[1] != 0;
    sums->sums[sums->cnt++] = (struct stack_sum){
        .stack = stack,
        .row_cnt = (uint32_t)total.row_cnt,
        .gain = (int64_t)total.half[0],
        .drop = (int64_t)total.half[1],
    };
}

// Once the groups are known: room for as many sums as there can be, as what grows in
// large pages is copied. What stays empty takes no memory.
static bool allocate_sums(struct adder *adder, uint64_t taken_cnt)
{
    struct stack_sums *sums = adder->sums;
    uint32_t group_cnt = category_groups_count(&sums->groups);
    uint64_t most = (uint64_t)group_cnt * adder->node_cnt;
    most = most < taken_cnt ? most : taken_cnt;
    sums->sums = malloc((most + 1) * sizeof *sums->sums);
    big_memory_advise(sums->sums, most * sizeof *sums->sums);
    sums->group_end = calloc((size_t)group_cnt + 1, sizeof *sums->group_end);
    sums->is_used = calloc(1, (size_t)adder->node_cnt + 1);
    return (sums->sums != NULL && sums->group_end != NULL && sums->is_used != NULL) ||
           out_of_memory(adder);
}

static bool allocate(struct adder *adder, uint64_t slot_cnt)
{
    bool is_light = adder->light_shift > 0;
    size_t bytes = adder->has_one_weight ? sizeof *adder->counts
                   : is_light            ? sizeof *adder->lights
                                         : sizeof *adder->totals;
    void *slots = calloc(slot_cnt, bytes);
    big_memory_advise(slots, slot_cnt * bytes);
    adder->counts = adder->has_one_weight ? slots : NULL;
    adder->lights = is_light ? slots : NULL;
    adder->totals = adder->has_one_weight || is_light ? NULL : slots;
    return slots != NULL || out_of_memory(adder);
}

// --- all groups at once -----------------------------------------------------------

static void add_block(struct adder *adder, const uint32_t *slot, uint32_t taken)
{
    uint32_t *counts = adder->counts;
    struct light_total *lights = adder->lights;
    struct stack_total *totals = adder->totals;
    uint32_t shift = adder->light_shift;
    for (uint32_t i = 0; i < taken && counts != NULL; i++) {
        counts[slot[i]]++;
    }
    for (uint32_t i = 0; i < taken && lights != NULL; i++) {
        light_total_add(&lights[slot[i]], shift, adder->weight[i]);
    }
    for (uint32_t i = 0; i < taken && totals != NULL; i++) {
        stack_total_add(&totals[slot[i]], adder->weight[i]);
    }
}

static bool add_rows(struct adder *adder)
{
    const struct selection *selection = adder->selection;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t cnt = block_at(adder, at);
        uint32_t taken = 0;
        if (adder->is_grouped && !take_groups(adder, at, cnt, &taken)) {
            return false;
        }
        taken = take_block(adder, at, cnt);
        for (uint32_t i = 0; i < taken && adder->is_grouped; i++) {
            adder->kept[i] = adder->stack[i] * adder->most_groups + adder->group[i];
        }
        add_block(adder, adder->is_grouped ? adder->kept : adder->stack, taken);
    }
    return true;
}

// By stack.
static void list_group(struct adder *adder, uint32_t group)
{
    for (stack_id i = 0; i < adder->node_cnt; i++) {
        struct stack_total total = total_at(adder, (uint64_t)i * adder->most_groups + group);
        if (total.row_cnt > 0) {
            put_sum(adder->sums, i, total);
        }
    }
    adder->sums->group_end[group] = adder->sums->cnt;
}

static bool sum_directly(struct adder *adder)
{
    if (!allocate(adder, (uint64_t)adder->most_groups * adder->node_cnt) || !add_rows(adder) ||
        !allocate_sums(adder, adder->selection->row_cnt)) {
        return false;
    }
    for (uint32_t group = 0; group < category_groups_count(&adder->sums->groups); group++) {
        list_group(adder, group);
    }
    return true;
}

// --- group by group: rows are put into the order of their groups first -------------

// Rows in turn go to counters of their own, as one after the other are of one group, and
// none then waits for the one before.
enum { TURNS = 4 };

static bool reserve_counters(struct adder *adder)
{
    uint32_t group_cnt = category_groups_count(&adder->sums->groups);
    if (group_cnt <= adder->counter_cnt) {
        return true;
    }
    size_t had = (size_t)adder->counter_cnt * TURNS;
    size_t wanted = (size_t)group_cnt * 2 * TURNS;
    uint32_t *counters = realloc(adder->counters, wanted * sizeof *counters);
    if (counters == NULL) {
        return out_of_memory(adder);
    }
    memset(counters + had, 0, (wanted - had) * sizeof *counters);
    adder->counters = counters;
    adder->counter_cnt = group_cnt * 2;
    return true;
}

// The group of each row that is taken, and how many rows each has.
static bool find_groups(struct adder *adder, uint64_t *taken_cnt)
{
    const struct selection *selection = adder->selection;
    *taken_cnt = 0;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t taken = 0;
        if (!take_groups(adder, at, block_at(adder, at), &taken) || !reserve_counters(adder)) {
            return false;
        }
        uint32_t *group_of = adder->group_of + *taken_cnt;
        for (uint32_t i = 0; i < taken; i++) {
            group_of[i] = adder->group[i];
            adder->counters[(size_t)adder->group[i] * TURNS + i % TURNS]++;
        }
        *taken_cnt += taken;
    }
    return true;
}

// `end` of each group becomes its begin, in which rows are then counted up to its end.
static void begin_groups(struct adder *adder, uint32_t group_cnt)
{
    for (uint32_t i = 0; i < group_cnt; i++) {
        const uint32_t *counter = adder->counters + (size_t)i * TURNS;
        adder->end[i + 1] = adder->end[i] + counter[0] + counter[1] + counter[2] + counter[3];
    }
}

static void order_block(struct adder *adder, const uint32_t *group, uint32_t taken)
{
    uint32_t *end = adder->end;
    for (uint32_t i = 0; i < taken && adder->rows != NULL; i++) {
        uint64_t *row = &adder->rows[end[group[i]]++];
        __builtin_prefetch(row + AHEAD_BYTES / sizeof *row, 1);
        *row = (uint64_t)adder->stack[i] << 32 | (uint32_t)(int32_t)adder->weight[i];
    }
    for (uint32_t i = 0; i < taken && adder->weights != NULL; i++) {
        adder->stacks[end[group[i]]] = adder->stack[i];
        adder->weights[end[group[i]]++] = adder->weight[i];
    }
    for (uint32_t i = 0; i < taken && adder->has_one_weight; i++) {
        stack_id *stack = &adder->stacks[end[group[i]]++];
        __builtin_prefetch(stack + AHEAD_BYTES / sizeof *stack, 1);
        *stack = adder->stack[i];
    }
}

static void rank_stacks(struct adder *adder, uint32_t taken)
{
    for (uint32_t i = 0; i < taken; i++) {
        uint32_t *rank = &adder->ranks[adder->stack[i]];
        if (*rank == 0) {
            *rank = ++adder->rank_cnt;
        }
        adder->kept[i] = *rank;
    }
    adder->stack = adder->kept;
}

static void order_rows(struct adder *adder)
{
    const struct selection *selection = adder->selection;
    const uint32_t *group = adder->group_of;
    for (uint64_t at = selection->first; at < selection->end; at += WEIGHT_BLOCK_ROWS) {
        uint32_t taken = take_block(adder, at, block_at(adder, at));
        if (adder->is_sorted) {
            rank_stacks(adder, taken);
        }
        order_block(adder, group, taken);
        group += taken;
    }
}

// Returns how many stacks are touched.
static uint32_t add_group(struct adder *adder, uint32_t begin, uint32_t end)
{
    uint32_t touched = 0;
    for (uint32_t i = begin; i < end && adder->counts != NULL; i++) {
        uint32_t *count = &adder->counts[adder->stacks[i]];
        adder->touched[touched] = adder->stacks[i];
        touched += (*count)++ == 0;
    }
    for (uint32_t i = begin; i < end && adder->rows != NULL; i++) {
        stack_id stack = (stack_id)(adder->rows[i] >> 32);
        adder->touched[touched] = stack;
        touched += adder->totals[stack].row_cnt == 0;
        stack_total_add_narrow(&adder->totals[stack], (int32_t)(uint32_t)adder->rows[i]);
    }
    for (uint32_t i = begin; i < end && adder->weights != NULL; i++) {
        stack_id stack = adder->stacks[i];
        adder->touched[touched] = stack;
        touched += adder->totals[stack].row_cnt == 0;
        stack_total_add(&adder->totals[stack], adder->weights[i]);
    }
    return touched;
}

static void list_touched(struct adder *adder, uint32_t group, uint32_t touched)
{
    for (uint32_t i = 0; i < touched; i++) {
        stack_id stack = adder->touched[i];
        struct stack_total total = total_at(adder, stack);
        put_sum(adder->sums, stack, adder->rows != NULL ? stack_total_apart(total) : total);
        if (adder->counts != NULL) {
            adder->counts[stack] = 0;
        } else {
            adder->totals[stack] = (struct stack_total){.row_cnt = 0};
        }
    }
    adder->sums->group_end[group] = adder->sums->cnt;
}

static void list_sorted(struct adder *adder, uint32_t group)
{
    for (stack_id i = 0; i < adder->node_cnt; i++) {
        uint32_t rank = adder->ranks[i];
        if (rank != 0 && adder->totals[rank].row_cnt > 0) {
            put_sum(adder->sums, i, adder->totals[rank]);
        }
    }
    adder->sums->group_end[group] = adder->sums->cnt;
    memset(adder->totals, 0, (adder->rank_cnt + 1ULL) * sizeof *adder->totals);
}

static void sum_sorted(struct adder *adder, uint32_t group, uint32_t begin, uint32_t end)
{
    struct stack_total *totals = adder->totals;
    for (uint32_t i = begin; i < end && adder->rows != NULL; i++) {
        uint64_t row = adder->rows[i];
        stack_total_add(&totals[row >> 32], (int32_t)(uint32_t)row);
    }
    for (uint32_t i = begin; i < end && adder->weights != NULL; i++) {
        stack_total_add(&totals[adder->stacks[i]], adder->weights[i]);
    }
    list_sorted(adder, group);
}

static void sum_group(struct adder *adder, uint32_t group)
{
    uint32_t begin = group == 0 ? 0 : adder->end[group - 1];
    uint32_t end = adder->end[group];
    if (adder->is_sorted) {
        sum_sorted(adder, group, begin, end);
    } else {
        list_touched(adder, group, add_group(adder, begin, end));
    }
}

static bool allocate_order(struct adder *adder, uint64_t taken_cnt, uint32_t group_cnt)
{
    size_t row_bytes = adder->is_narrow ? sizeof *adder->rows : sizeof *adder->stacks;
    void *rows = malloc((taken_cnt + 1) * row_bytes);
    big_memory_advise(rows, taken_cnt * row_bytes);
    adder->rows = adder->is_narrow ? rows : NULL;
    adder->stacks = adder->is_narrow ? NULL : rows;
    adder->end = calloc((size_t)group_cnt + 1, sizeof *adder->end);
    size_t stack_cnt = (size_t)adder->node_cnt + 1;
    if (adder->is_sorted) {
        adder->ranks = calloc(stack_cnt, sizeof *adder->ranks);
    } else {
        adder->touched = malloc(stack_cnt * sizeof *adder->touched);
    }
    bool has_weights = adder->has_one_weight || adder->is_narrow;
    if (!has_weights) {
        adder->weights = malloc((taken_cnt + 1) * sizeof *adder->weights);
        big_memory_advise(adder->weights, taken_cnt * sizeof *adder->weights);
    }
    return (rows != NULL && adder->end != NULL &&
            (adder->touched != NULL || adder->ranks != NULL) &&
            (has_weights || adder->weights != NULL)) ||
           out_of_memory(adder);
}

static bool sum_by_group(struct adder *adder)
{
    uint64_t most = adder->selection->row_cnt + 1;
    adder->group_of = malloc(most * sizeof *adder->group_of);
    big_memory_advise(adder->group_of, most * sizeof *adder->group_of);
    if (adder->group_of == NULL) {
        return out_of_memory(adder);
    }
    uint64_t taken_cnt = 0;
    if (!find_groups(adder, &taken_cnt)) {
        return false;
    }
    uint32_t group_cnt = category_groups_count(&adder->sums->groups);
    if (!allocate_order(adder, taken_cnt, group_cnt) || !allocate_sums(adder, taken_cnt) ||
        !allocate(adder, (uint64_t)adder->node_cnt + 1)) {
        return false;
    }
    begin_groups(adder, group_cnt);
    order_rows(adder);
    for (uint32_t i = 0; i < group_cnt; i++) {
        sum_group(adder, i);
    }
    return true;
}

// --- the whole ----------------------------------------------------------------

static size_t slot_bytes(const struct adder *adder)
{
    return adder->has_one_weight ? sizeof *adder->counts : sizeof *adder->totals;
}

// How many groups there can be at most; 0 = too many for one table.
static uint32_t most_groups(const struct adder *adder)
{
    uint64_t limit = MAX_SORTED_BYTES / slot_bytes(adder) / adder->node_cnt;
    uint64_t most = 1;
    const struct category_groups *groups = &adder->sums->groups;
    for (uint32_t i = 0; i < groups->level_cnt && most <= limit; i++) {
        most *= groups->levels[i].value_cnt;
    }
    return groups->level_cnt == 0 || most <= limit ? (uint32_t)most : 0;
}

// The decrease of INT32_MIN is wider than it.
static bool is_narrow(const struct weight_reader *reader)
{
    return reader->column != NULL && reader->column->width > 0 && reader->column->width <= 4 &&
           reader->column->min > INT32_MIN;
}

static uint64_t heaviest(const struct weight_reader *reader)
{
    const struct profile_column *column = reader->column;
    if (column == NULL) {
        return 1;
    }
    uint64_t least = column->min < 0 ? 0 - (uint64_t)column->min : (uint64_t)column->min;
    uint64_t most = column->max < 0 ? 0 - (uint64_t)column->max : (uint64_t)column->max;
    return least > most ? least : most;
}

// Of as many rows as are selected, all as heavy as the heaviest.
static bool is_exact(const struct adder *adder)
{
    int64_t sum = 0;
    return !__builtin_mul_overflow(adder->selection->row_cnt, heaviest(&adder->reader), &sum);
}

// Bits of the number of rows, where those of their weight are left above them; else 0.
static uint32_t light_shift(const struct adder *adder)
{
    uint64_t row_cnt = adder->selection->row_cnt;
    uint32_t shift = row_cnt == 0 ? 1 : 64 - (uint32_t)__builtin_clzll(row_cnt);
    uint64_t sum = 0;
    bool is_light = !__builtin_mul_overflow(row_cnt, heaviest(&adder->reader), &sum) &&
                    sum >> (64 - shift) == 0;
    return is_light && !adder->has_one_weight ? shift : 0;
}

static bool sum_rows(struct adder *adder, struct weight weight)
{
    const struct profile *profile = adder->selection->profile;
    if (!weight_open(profile, weight, &adder->reader, adder->err)) {
        return false;
    }
    adder->node_cnt = profile->dictionary.node_cnt;
    adder->is_grouped = adder->sums->groups.level_cnt > 0;
    adder->has_one_weight = adder->reader.column == NULL || adder->reader.column->width == 0;
    adder->is_narrow = is_narrow(&adder->reader);
    adder->sums->is_exact = is_exact(adder);
    adder->most_groups = most_groups(adder);
    uint64_t table_bytes = slot_bytes(adder) * adder->most_groups * adder->node_cnt;
    bool is_direct =
        adder->has_one_weight || adder->most_groups == 1 || table_bytes <= MAX_DIRECT_BYTES;
    adder->is_sorted = adder->most_groups > 0;
    is_direct = adder->is_sorted && is_direct;
    adder->light_shift = is_direct ? light_shift(adder) : 0;
    return is_direct ? sum_directly(adder) : sum_by_group(adder);
}

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
    bool ok = sum_rows(adder, weight);
    sums->lacking_cnt = selection->row_cnt - sums->row_cnt;
    free(adder->totals);
    free(adder->counts);
    free(adder->lights);
    free(adder->touched);
    free(adder->ranks);
    free(adder->group_of);
    free(adder->counters);
    free(adder->end);
    free(adder->stacks);
    free(adder->weights);
    free(adder->rows);
    free(adder);
    return ok;
}

void stack_sums_deinit(struct stack_sums *sums)
{
    category_groups_deinit(&sums->groups);
    free(sums->sums);
    free(sums->group_end);
    free(sums->is_used);
    *sums = (struct stack_sums){.sums = NULL};
}

// SPDX-License-Identifier: Apache-2.0
// The weight of the rows of one stack, while they are added: a table of these is most of
// the time that sums take.
#ifndef FLAME_PROF_QUERY_STACK_TOTAL_H
#define FLAME_PROF_QUERY_STACK_TOTAL_H

#include <stdint.h>

// Weights >= 0 and < 0 apart, as magnitudes.
struct stack_total {
    uint64_t half[2];
    uint64_t row_cnt;
};

// No branch depends on the sign.
static inline void stack_total_add(struct stack_total *total, int64_t weight)
{
    uint64_t is_drop = (uint64_t)weight >> 63;
    total->half[is_drop] += ((uint64_t)weight ^ (0 - is_drop)) + is_drop;
    total->row_cnt++;
}

// --- narrow weights -----------------------------------------------------------

// Both halves as sum and magnitude, of which a weight of 32 bits needs no branch and no
// address of its own: no sum of less than 2^32 of them wraps around.
static inline void stack_total_add_narrow(struct stack_total *total, int64_t weight)
{
    int64_t sign = weight >> 63;
    total->half[0] += (uint64_t)weight;
    total->half[1] += (uint64_t)((weight ^ sign) - sign);
    total->row_cnt++;
}

static inline struct stack_total stack_total_apart(struct stack_total total)
{
    uint64_t sum = total.half[0];
    uint64_t magnitude = total.half[1];
    total.half[0] = (magnitude + sum) / 2;
    total.half[1] = (magnitude - sum) / 2;
    return total;
}

// --- light weights ------------------------------------------------------------

// Where the number of rows finds room below what they weigh: one number changes with a
// row, not two.
struct light_total {
    uint64_t half[2]; // the weight << shift, and rows
};

static inline void light_total_add(struct light_total *total, uint32_t shift, int64_t weight)
{
    uint64_t is_drop = (uint64_t)weight >> 63;
    uint64_t size = ((uint64_t)weight ^ (0 - is_drop)) + is_drop;
    total->half[is_drop] += (size << shift) + 1;
}

static inline struct stack_total light_total_apart(struct light_total light, uint32_t shift)
{
    uint64_t rows = ((uint64_t)1 << shift) - 1;
    return (struct stack_total){
        .half = {light.half[0] >> shift, light.half[1] >> shift},
        .row_cnt = (light.half[0] & rows) + (light.half[1] & rows),
    };
}

#endif

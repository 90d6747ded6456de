// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_memo.h"

#include <stdlib.h>

enum { SLOTS = 2048 };

struct slot {
    uint64_t address;
    uint32_t generation;
    uint32_t epoch; // another than the memo's: free
    struct code_location location;
};

struct code_memo {
    uint32_t epoch; // > 0
    struct slot slots[SLOTS];
};

struct code_memo *code_memo_create(void)
{
    struct code_memo *memo = calloc(1, sizeof *memo);
    if (memo != NULL) {
        memo->epoch = 1;
    }
    return memo;
}

void code_memo_destroy(struct code_memo *memo)
{
    free(memo);
}

static uint32_t slot_of(uint64_t address)
{
    return (uint32_t)(address * 0x9E3779B97F4A7C15ULL >> 32) % SLOTS;
}

const struct code_location *code_memo_find(const struct code_memo *memo, uint64_t address,
                                           uint32_t generation)
{
    if (memo == NULL) {
        return NULL;
    }
    const struct slot *slot = &memo->slots[slot_of(address)];
    bool is_it =
        slot->address == address && slot->generation == generation && slot->epoch == memo->epoch;
    return is_it ? &slot->location : NULL;
}

void code_memo_keep(struct code_memo *memo, uint64_t address, uint32_t generation,
                    const struct code_location *location)
{
    if (memo != NULL) {
        memo->slots[slot_of(address)] = (struct slot){address, generation, memo->epoch, *location};
    }
}

void code_memo_forget(struct code_memo *memo)
{
    if (memo != NULL) {
        memo->epoch++;
    }
}

size_t code_memo_memory_bytes(const struct code_memo *memo)
{
    return memo == NULL ? 0 : sizeof *memo;
}

// SPDX-License-Identifier: Apache-2.0
#include "record/system/known_stacks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CACHE_LINE_BYTES = 64, SETS = 8192, WAYS = 2 }; // sets: a power of two

struct entry {
    uint64_t hash; // 0 = free
    struct known_part part;
    uint32_t spare;
};

// Who was asked for last comes first.
struct set {
    struct entry ways[WAYS];
};
_Static_assert(sizeof(struct set) == CACHE_LINE_BYTES, "one cache miss");

struct known_stacks {
    struct set *sets;
    uint64_t seed;
    const struct stack_hashes *stack; // that was begun
    uint64_t whose;
};

struct known_stacks *known_stacks_create(void)
{
    struct known_stacks *known = calloc(1, sizeof *known);
    if (known == NULL) {
        return NULL;
    }
    known->sets = aligned_alloc(CACHE_LINE_BYTES, SETS * sizeof *known->sets);
    if (known->sets == NULL) {
        free(known);
        return NULL;
    }
    memset(known->sets, 0, SETS * sizeof *known->sets);
    if (getrandom(&known->seed, sizeof known->seed, GRND_NONBLOCK) != sizeof known->seed) {
        known->seed = (uintptr_t)known->sets;
    }
    return known;
}

void known_stacks_destroy(struct known_stacks *known)
{
    if (known != NULL) {
        free(known->sets);
    }
    free(known);
}

void known_stacks_hash(const struct known_stacks *known, const struct system_sample *sample,
                       struct stack_hashes *hashes)
{
    stack_hashes_make(hashes, sample, known->seed);
}

static struct set *set_of(const struct known_stacks *known, uint32_t part)
{
    return &known->sets[known->stack->parts[part] % SETS];
}

void known_stacks_fetch(const struct known_stacks *known, const struct stack_hashes *stack)
{
    __builtin_prefetch(&known->sets[stack->parts[0] % SETS]);
    __builtin_prefetch(&known->sets[stack->parts[1] % SETS]);
}

void known_stacks_begin(struct known_stacks *known, const struct stack_hashes *stack,
                        uint64_t owner, uint64_t file)
{
    known->stack = stack;
    known->whose = stack_hashes_mix(stack_hashes_mix(known->seed, owner), file);
}

// Its set is told by the addresses alone, what it is known by by all.
static uint64_t hash_of(const struct known_stacks *known, uint32_t part)
{
    return stack_hashes_finish(stack_hashes_mix(known->stack->parts[part], known->whose));
}

static bool find(struct known_stacks *known, uint32_t number, uint64_t now_ns,
                 struct known_part *part)
{
    struct set *set = set_of(known, number);
    uint64_t hash = hash_of(known, number);
    if (set->ways[0].hash != hash && set->ways[1].hash == hash) {
        struct entry second = set->ways[1];
        set->ways[1] = set->ways[0];
        set->ways[0] = second;
    }
    *part = set->ways[0].part;
    return set->ways[0].hash == hash && part->good_until_ns > now_ns;
}

uint32_t known_stacks_find(struct known_stacks *known, uint64_t now_ns, struct known_part *part)
{
    uint32_t cnt = stack_part_cnt(known->stack->address_cnt);
    for (uint32_t number = 0; number < cnt; number++) {
        if (find(known, number, now_ns, part)) {
            return number;
        }
    }
    *part = (struct known_part){.good_until_ns = UINT64_MAX};
    return cnt;
}

void known_stacks_put(struct known_stacks *known, uint32_t number, const struct known_part *part)
{
    uint64_t hash = hash_of(known, number);
    struct set *set = set_of(known, number);
    if (set->ways[0].hash != hash) {
        set->ways[1] = set->ways[0];
    }
    set->ways[0] = (struct entry){.hash = hash, .part = *part};
}

// SPDX-License-Identifier: Apache-2.0
#include "record/system/known_stacks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FACTOR 0x9E3779B97F4A7C15ULL

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
    uint64_t seed; // nobody can choose addresses so that his stack is taken for another
    uint32_t address_cnt;
    uint64_t hashes[SYSTEM_MAX_FRAMES]; // of the parts that begin there
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

// One to one in both; of a sum of them the upper half depends on every bit.
static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * FACTOR;
}

static uint64_t finish(uint64_t hash)
{
    hash ^= hash >> 32;
    return hash == 0 ? 1 : hash;
}

// The place that was sampled is named by itself, others by the call before them; in front of
// one stands the mark of those that were omitted.
static uint64_t word_of(const struct system_sample *sample, uint32_t i)
{
    static const uint64_t SAMPLED = 1ULL << 62;
    bool is_sampled = i == 0 || i == sample->kernel_cnt;
    bool is_behind_mark =
        sample->user_omitted > 0 && i == sample->kernel_cnt + sample->user_omitted_at;
    return sample->frames[i] ^ (is_sampled ? SAMPLED : 0) ^
           (is_behind_mark ? system_sample_least_omitted(sample) * FACTOR : 0);
}

void known_stacks_begin(struct known_stacks *known, const struct system_sample *sample,
                        uint64_t owner, uint64_t file)
{
    uint64_t hash = mix(mix(mix(known->seed, owner), file), sample->erlang_pid);
    known->address_cnt = sample->kernel_cnt + sample->user_cnt;
    for (uint32_t i = known->address_cnt; i > 0; i--) {
        hash = mix(hash, word_of(sample, i - 1));
        known->hashes[i - 1] = finish(hash);
    }
    __builtin_prefetch(&known->sets[known->hashes[0] % SETS]);
    __builtin_prefetch(&known->sets[known->hashes[1] % SETS]);
}

static bool find(struct known_stacks *known, uint64_t hash, uint64_t now_ns,
                 struct known_part *part)
{
    struct set *set = &known->sets[hash % SETS];
    if (set->ways[0].hash != hash && set->ways[1].hash == hash) {
        struct entry second = set->ways[1];
        set->ways[1] = set->ways[0];
        set->ways[0] = second;
    }
    *part = set->ways[0].part;
    return set->ways[0].hash == hash && part->good_until_ns > now_ns;
}

enum { LAST_DOUBLED = 128, STEP = 64 };

// A part is asked for and kept at 0, 1, 2, 4... 128, 192...: what differs is near the leaf mostly.
static uint32_t part_below(uint32_t from)
{
    return from == 0 ? 1 : from < LAST_DOUBLED ? from * 2 : from + STEP;
}

uint32_t known_stacks_next(uint32_t from)
{
    uint32_t next = 0;
    while (part_below(next) < from) {
        next = part_below(next);
    }
    return next;
}

uint32_t known_stacks_find(struct known_stacks *known, uint64_t now_ns, struct known_part *part)
{
    for (uint32_t from = 0; from < known->address_cnt; from = part_below(from)) {
        if (find(known, known->hashes[from], now_ns, part)) {
            return from;
        }
    }
    *part = (struct known_part){.good_until_ns = UINT64_MAX};
    return known->address_cnt;
}

void known_stacks_put(struct known_stacks *known, uint32_t from, const struct known_part *part)
{
    uint64_t hash = known->hashes[from];
    struct set *set = &known->sets[hash % SETS];
    if (set->ways[0].hash != hash) {
        set->ways[1] = set->ways[0];
    }
    set->ways[0] = (struct entry){.hash = hash, .part = *part};
}

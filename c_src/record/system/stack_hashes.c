// SPDX-License-Identifier: Apache-2.0
#include "record/system/stack_hashes.h"

// Where an address stands for something else than the call that it comes back from.
struct marks {
    uint32_t sampled_at; // besides the first
    uint32_t omitted_at; // the mark of those that were left out is in front of this one
    uint64_t omitted;
};

#define SAMPLED (1ULL << 62)

_Static_assert((int)STACK_PARTS_MAX > 8 &&
                   128 + (STACK_PARTS_MAX - 8) * 64 >= (int)SYSTEM_MAX_FRAMES,
               "a stack has no more parts");

static struct marks marks_of(const struct system_sample *sample)
{
    bool has_omitted = sample->user_omitted > 0;
    return (struct marks){
        .sampled_at = sample->kernel_cnt,
        .omitted_at = has_omitted ? sample->kernel_cnt + sample->user_omitted_at : UINT32_MAX,
        .omitted = stack_hashes_mix(0, system_sample_least_omitted(sample)),
    };
}

static uint64_t word_of(const struct marks *marks, uint64_t address, uint32_t i)
{
    address ^= i == 0 || i == marks->sampled_at ? SAMPLED : 0;
    return address ^ (i == marks->omitted_at ? marks->omitted : 0);
}

void stack_hashes_make(struct stack_hashes *hashes, const struct system_sample *sample,
                       uint64_t seed)
{
    uint64_t hash =
        stack_hashes_mix(stack_hashes_mix(seed, sample->address_space), sample->erlang_pid);
    struct marks marks = marks_of(sample);
    uint32_t i = sample->kernel_cnt + sample->user_cnt;
    hashes->address_cnt = i;
    for (uint32_t part = stack_part_cnt(i); part > 0; part--) {
        for (uint32_t begin = stack_part_begin(part - 1); i > begin; i--) {
            hash = stack_hashes_mix(hash, word_of(&marks, sample->frames[i - 1], i - 1));
        }
        hashes->parts[part - 1] = stack_hashes_finish(hash);
    }
}

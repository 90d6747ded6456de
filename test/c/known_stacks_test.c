// SPDX-License-Identifier: Apache-2.0
// What is known of a stack is found by all that its frames depend on, and by no less.
#include "record/system/known_stacks.h"

#include "test.h"

enum { OWNER = 7, FILE_1 = 1, NOW_NS = 1000 };

static struct known_stacks *known;
static struct known_part part;

static struct system_sample sample_of(const uint64_t *frames, uint32_t kernel_cnt,
                                      uint32_t user_cnt)
{
    return (struct system_sample){.kernel_cnt = kernel_cnt, .user_cnt = user_cnt, .frames = frames};
}

// Where the known part of the sample begins.
static uint32_t find_as(const struct system_sample *sample, uint64_t owner, uint64_t file)
{
    struct stack_hashes hashes = {0};
    known_stacks_hash(known, sample, &hashes);
    known_stacks_fetch(known, &hashes);
    known_stacks_begin(known, &hashes, owner, file);
    uint32_t begin = stack_part_begin(known_stacks_find(known, NOW_NS, &part));
    return begin < hashes.address_cnt ? begin : hashes.address_cnt;
}

static uint32_t find(const struct system_sample *sample)
{
    return find_as(sample, OWNER, FILE_1);
}

// All of its parts, numbered 100 plus where they begin.
static void put(const struct system_sample *sample, uint64_t good_until_ns)
{
    struct stack_hashes hashes = {0};
    known_stacks_hash(known, sample, &hashes);
    known_stacks_begin(known, &hashes, OWNER, FILE_1);
    for (uint32_t number = stack_part_cnt(hashes.address_cnt); number > 0; number--) {
        known_stacks_put(known, number - 1,
                         &(struct known_part){.good_until_ns = good_until_ns,
                                              .number = 100 + stack_part_begin(number - 1),
                                              .frame_cnt = 3});
    }
}

TEST(a_stack_is_known_whole_or_from_some_caller_on)
{
    uint64_t frames[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct system_sample sample = sample_of(frames, 0, 10);
    known = known_stacks_create();
    CHECK_UINT(find(&sample), 10);
    CHECK_UINT(part.number, 0);
    CHECK_UINT(part.frame_cnt, 0);
    put(&sample, UINT64_MAX);
    CHECK_UINT(find(&sample), 0);
    CHECK_UINT(part.number, 100);
    CHECK_UINT(part.frame_cnt, 3);
    frames[0] = 77; // elsewhere in the same function
    CHECK_UINT(find(&sample), 1);
    CHECK_UINT(part.number, 101);
    frames[2] = 77;
    CHECK_UINT(find(&sample), 4); // 3 is not asked for
    frames[9] = 77;
    CHECK_UINT(find(&sample), 10);
    known_stacks_destroy(known);
    known_stacks_destroy(NULL);
}

TEST(whoever_owns_the_code_and_the_file_make_a_difference)
{
    const uint64_t frames[] = {1, 2, 3};
    struct system_sample sample = sample_of(frames, 0, 3);
    known = known_stacks_create();
    put(&sample, UINT64_MAX);
    CHECK_UINT(find_as(&sample, OWNER + 1, FILE_1), 3);
    CHECK_UINT(find_as(&sample, OWNER, FILE_1 + 1), 3);
    sample.erlang_pid = 0x123;
    CHECK_UINT(find(&sample), 3);
    sample.erlang_pid = 0;
    CHECK_UINT(find(&sample), 0);
    known_stacks_destroy(known);
}

// An address that was sampled names itself, one that is returned to the call before it.
TEST(a_sampled_place_is_no_return_address)
{
    const uint64_t frames[] = {1, 2, 3};
    const uint64_t deeper[] = {9, 1, 2, 3};
    struct system_sample sample = sample_of(frames, 0, 3);
    struct system_sample caller = sample_of(deeper, 0, 4);
    struct system_sample in_kernel = sample_of(deeper, 1, 3);
    known = known_stacks_create();
    put(&sample, UINT64_MAX);
    CHECK_UINT(find(&caller), 2); // 2 and 3 are returned to in both
    CHECK_UINT(find(&in_kernel), 1);
    known_stacks_destroy(known);
}

TEST(what_was_omitted_is_part_of_what_is_above_it)
{
    uint64_t frames[256];
    for (uint32_t i = 0; i < 256; i++) {
        frames[i] = 1 + i;
    }
    struct system_sample sample = sample_of(frames, 0, 256);
    sample.user_omitted = 500;
    sample.user_omitted_at = 192;
    known = known_stacks_create();
    put(&sample, UINT64_MAX);
    CHECK_UINT(find(&sample), 0);
    sample.user_omitted = 511; // at least 256, too
    CHECK_UINT(find(&sample), 0);
    sample.user_omitted = 512;
    CHECK_UINT(find(&sample), 256); // 192 has the mark in front
    sample.user_omitted = 0;
    CHECK_UINT(find(&sample), 256);
    known_stacks_destroy(known);
}

TEST(names_that_may_change_are_not_known_for_long)
{
    const uint64_t frames[] = {1, 2, 3};
    struct system_sample sample = sample_of(frames, 0, 3);
    known = known_stacks_create();
    put(&sample, NOW_NS);
    CHECK_UINT(find(&sample), 3);
    put(&sample, NOW_NS + 1);
    CHECK_UINT(find(&sample), 0);
    known_stacks_destroy(known);
}

TEST(the_least_recently_used_gives_way)
{
    enum { STACKS = 200000 };
    uint64_t frame = 0;
    struct system_sample sample = sample_of(&frame, 0, 1);
    uint64_t kept = 0;
    known = known_stacks_create();
    for (frame = 1; frame <= STACKS; frame++) {
        put(&sample, UINT64_MAX);
        CHECK_UINT(find(&sample), 0);
    }
    for (frame = 1; frame <= STACKS; frame++) {
        kept += find(&sample) == 0 ? 1 : 0;
    }
    CHECK(kept >= 8192 && kept <= 16384);
    known_stacks_destroy(known);
}

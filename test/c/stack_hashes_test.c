// SPDX-License-Identifier: Apache-2.0
#include "record/system/stack_hashes.h"

#include "test.h"

static uint64_t frames[SYSTEM_MAX_FRAMES];
static struct stack_hashes hashes;

static void make(uint32_t kernel_cnt, uint32_t user_cnt, uint64_t seed)
{
    struct system_sample sample = {
        .kernel_cnt = kernel_cnt, .user_cnt = user_cnt, .frames = frames};
    hashes = (struct stack_hashes){0};
    stack_hashes_make(&hashes, &sample, seed);
}

TEST(parts_begin_near_the_leaf_mostly)
{
    static const uint32_t BEGINS[] = {0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 320};
    for (uint32_t i = 0; i < STACK_PARTS_MAX; i++) {
        CHECK_UINT(stack_part_begin(i), BEGINS[i]);
        CHECK_UINT(stack_part_cnt(BEGINS[i]), i);
        CHECK_UINT(stack_part_cnt(BEGINS[i] + 1), i + 1);
    }
    CHECK_UINT(stack_part_cnt(SYSTEM_MAX_FRAMES), STACK_PARTS_MAX);
}

// Whatever is changed, the parts in which it is change, and no other.
TEST(a_part_is_told_by_each_of_its_addresses)
{
    for (uint32_t i = 0; i < SYSTEM_MAX_FRAMES; i++) {
        frames[i] = 0x400000 + i;
    }
    make(3, SYSTEM_MAX_FRAMES - 3, 1);
    struct stack_hashes before = hashes;
    CHECK_UINT(before.address_cnt, SYSTEM_MAX_FRAMES);
    for (uint32_t changed = 0; changed < SYSTEM_MAX_FRAMES; changed++) {
        frames[changed] ^= 1ULL << (changed % 64);
        make(3, SYSTEM_MAX_FRAMES - 3, 1);
        for (uint32_t part = 0; part < STACK_PARTS_MAX; part++) {
            CHECK_INT(hashes.parts[part] == before.parts[part], changed < stack_part_begin(part));
        }
        frames[changed] ^= 1ULL << (changed % 64);
    }
}

TEST(the_seed_makes_all_of_them_others)
{
    make(0, 200, 1);
    struct stack_hashes before = hashes;
    make(0, 200, 2);
    for (uint32_t part = 0; part < stack_part_cnt(200); part++) {
        CHECK(hashes.parts[part] != before.parts[part]);
    }
}

TEST(where_is_no_address_is_no_part)
{
    make(0, 0, 1);
    CHECK_UINT(hashes.address_cnt, 0);
    CHECK_UINT(stack_part_cnt(0), 0);
}

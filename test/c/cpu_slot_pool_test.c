// SPDX-License-Identifier: Apache-2.0
// Slots are lent to one sampler at a time, and stay slots when they are given back.
#include "capture/beam/cpu_slot_pool.h"

#include "test.h"

TEST(two_samplers_have_slots_of_their_own)
{
    struct cpu_slot *first = cpu_slot_pool_take(14);
    struct cpu_slot *second = cpu_slot_pool_take(20);
    CHECK(first != NULL && second != NULL);
    CHECK(second >= first + 14 || second + 20 <= first);
    first[13].no = 7;
    second[0].no = 8;
    CHECK_UINT(first[13].no, 7);
    CHECK(cpu_slot_pool_has(first) && cpu_slot_pool_has(second + 19));
    cpu_slot_pool_give_back(first, 14);
    cpu_slot_pool_give_back(second, 20);
    cpu_slot_pool_give_back(NULL, 3);
}

TEST(what_is_given_back_is_lent_again_with_nothing_in_it)
{
    struct cpu_slot *slots = cpu_slot_pool_take(5);
    slots[4].no = 9;
    slots[4].armed = true;
    cpu_slot_pool_give_back(slots, 5);
    CHECK(cpu_slot_pool_has(slots)); // a late signal leads there
    CHECK(cpu_slot_pool_take(5) == slots);
    CHECK_UINT(slots[4].no, 0);
    CHECK(!slots[4].armed);
    cpu_slot_pool_give_back(slots, 5);
}

TEST(there_are_so_many)
{
    struct cpu_slot *all = cpu_slot_pool_take(CPU_SLOT_POOL_CNT);
    struct cpu_slot elsewhere;
    CHECK(all != NULL);
    CHECK(cpu_slot_pool_take(1) == NULL);
    CHECK(cpu_slot_pool_take(CPU_SLOT_POOL_CNT + 1) == NULL);
    CHECK(!cpu_slot_pool_has(&elsewhere) && !cpu_slot_pool_has(NULL));
    CHECK(!cpu_slot_pool_has(all + CPU_SLOT_POOL_CNT));
    cpu_slot_pool_give_back(all, CPU_SLOT_POOL_CNT);
    CHECK(cpu_slot_pool_take(1) != NULL);
}

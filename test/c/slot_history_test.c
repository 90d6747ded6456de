// SPDX-License-Identifier: Apache-2.0
// What is remembered of a slot, and that it is of the process that is in it.
#include "capture/beam/slot_history.h"

#include "test.h"

enum { SLOTS = 4096 };

static struct slot_history history;

TEST(a_counter_is_compared_with_the_same_process)
{
    CHECK(slot_history_init(&history, SLOTS, 1 << SLOT_REDUCTIONS));
    CHECK(!slot_history_meet(&history, 7, 1234));
    CHECK_UINT(slot_history_advance(&history, SLOT_REDUCTIONS, 7, 100), 0);
    CHECK(slot_history_meet(&history, 7, 1234));
    CHECK_UINT(slot_history_advance(&history, SLOT_REDUCTIONS, 7, 250), 100);
    CHECK(!slot_history_meet(&history, 7, 1235)); // somebody else
    CHECK_UINT(slot_history_advance(&history, SLOT_REDUCTIONS, 7, 30), 0);
    CHECK(!slot_history_meet(&history, SLOTS - 1, 1235));
    slot_history_deinit(&history);
    slot_history_deinit(&history);
}

TEST(counters_do_not_mix)
{
    CHECK(slot_history_init(&history, SLOTS, 1 << SLOT_REDUCTIONS | 1 << SLOT_QUEUE_LEN));
    CHECK(!slot_history_meet(&history, 3, 55));
    CHECK_UINT(slot_history_advance(&history, SLOT_REDUCTIONS, 3, 10), 0);
    CHECK_UINT(slot_history_advance(&history, SLOT_QUEUE_LEN, 3, 20), 0);
    CHECK(slot_history_meet(&history, 3, 55));
    CHECK_UINT(slot_history_advance(&history, SLOT_QUEUE_LEN, 3, 21), 20);
    CHECK_UINT(slot_history_advance(&history, SLOT_REDUCTIONS, 3, 11), 10);
    slot_history_deinit(&history);
}

// The pids that one slot gets in turn: on OTP 25 the slot and the number in one
// half each, later the number times the table's size.
TEST(who_follows_in_a_slot_is_told_apart)
{
    CHECK(slot_history_init(&history, SLOTS, 1 << SLOT_REDUCTIONS));
    for (uint64_t bits = 10; bits < 28; bits++) {
        for (uint64_t serial = 0; serial < 200; serial++) {
            uint64_t old_kind = 77ULL << 32 | ((serial << bits | 77) & 0xFFFFFFF) << 4 | 3;
            uint64_t new_kind = (serial << bits | 77) << 4 | 3;
            bool wrapped = serial > 0 && serial << bits > 0xFFFFFFF;
            CHECK(wrapped || !slot_history_meet(&history, 1, old_kind));
            CHECK(!slot_history_meet(&history, 2, new_kind));
        }
        (void)slot_history_meet(&history, 1, 0x1234567);
        (void)slot_history_meet(&history, 2, 0x1234567);
    }
    slot_history_deinit(&history);
}

TEST(what_is_not_kept_takes_no_memory)
{
    CHECK(slot_history_init(&history, SLOTS, 0));
    CHECK(history.tags == NULL && history.counters[SLOT_REDUCTIONS] == NULL);
    CHECK(slot_history_meet(&history, SLOTS - 1, 5));
    slot_history_deinit(&history);
}

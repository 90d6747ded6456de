// SPDX-License-Identifier: Apache-2.0
#include "capture/system/slot_range.h"

#include "test.h"

TEST(ranges_are_given_out_until_there_is_no_room)
{
    struct slot_range slots;
    uint32_t first = 0;
    CHECK(slot_range_init(&slots, 192));
    CHECK(slot_range_take(&slots, 100, &first));
    CHECK_UINT(first, 0);
    CHECK(slot_range_take(&slots, 92, &first));
    CHECK_UINT(first, 100);
    CHECK(!slot_range_take(&slots, 1, &first));
    slot_range_give(&slots, 10, 80);
    CHECK(!slot_range_take(&slots, 81, &first));
    CHECK(slot_range_take(&slots, 80, &first));
    CHECK_UINT(first, 10);
    slot_range_deinit(&slots);
}

TEST(what_was_given_back_is_found_again_behind_the_end)
{
    struct slot_range slots;
    uint32_t first = 0;
    CHECK(slot_range_init(&slots, 128));
    for (int i = 0; i < 1000; i++) {
        CHECK(slot_range_take(&slots, 50, &first));
        slot_range_give(&slots, first, 50);
    }
    slot_range_deinit(&slots);
}

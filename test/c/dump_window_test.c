// SPDX-License-Identifier: Apache-2.0
// What an armed capture keeps, drops and writes.
#include "sinks/dump_window.h"

#include "base/clock.h"
#include "test.h"

#define S ((uint64_t)CLOCK_NS_PER_S)

static struct dump_window window;

TEST(everything_is_written_when_not_armed)
{
    dump_window_init(&window, 0, 1000);
    CHECK_INT(dump_window_fate(&window, 5, 999999, 100 * S), DUMP_WRITE);
    CHECK(!dump_window_is_over(&window, 100 * S));
}

TEST(samples_are_kept_for_their_time_and_dropped_after_it)
{
    dump_window_init(&window, 30 * S, 1000);
    CHECK_INT(dump_window_fate(&window, 100 * S, 500, 100 * S), DUMP_KEEP);
    CHECK_INT(dump_window_fate(&window, 100 * S, 500, 130 * S), DUMP_KEEP);
    CHECK_INT(dump_window_fate(&window, 100 * S, 500, 130 * S + 1), DUMP_DROP);
    CHECK_UINT(window.early_cnt, 0);
}

TEST(too_many_are_dropped_before_their_time_and_counted)
{
    dump_window_init(&window, 30 * S, 1000);
    CHECK_INT(dump_window_fate(&window, 100 * S, 1000, 101 * S), DUMP_KEEP);
    CHECK_INT(dump_window_fate(&window, 100 * S, 1001, 101 * S), DUMP_DROP);
    CHECK_UINT(window.early_cnt, 1);
}

TEST(a_dump_takes_what_is_kept_and_what_comes)
{
    dump_window_init(&window, 30 * S, 1000);
    dump_window_open(&window, 100 * S, 5 * S);
    CHECK_INT(dump_window_fate(&window, 69 * S, 2000, 100 * S), DUMP_DROP);
    CHECK_INT(dump_window_fate(&window, 70 * S, 2000, 100 * S), DUMP_WRITE);
    CHECK_INT(dump_window_fate(&window, 105 * S, 2000, 105 * S), DUMP_WRITE);
    CHECK_INT(dump_window_fate(&window, 105 * S + 1, 2000, 105 * S), DUMP_KEEP);
    CHECK_UINT(window.early_cnt, 0); // a dump takes them in any case
    CHECK(!dump_window_is_over(&window, 105 * S));
    CHECK(dump_window_is_over(&window, 106 * S));
    dump_window_close(&window);
    CHECK(!dump_window_is_over(&window, 106 * S));
    CHECK_INT(dump_window_fate(&window, 105 * S + 1, 900, 106 * S), DUMP_KEEP);
}

TEST(more_is_asked_for_than_the_clock_has)
{
    dump_window_init(&window, 30 * S, 1000);
    dump_window_open(&window, S, 0);
    CHECK_UINT(window.from_ns, 0);
    CHECK_INT(dump_window_fate(&window, 1, 10, S), DUMP_WRITE);
}

TEST(losses_are_those_since_the_window_began)
{
    struct loss_snapshot losses = {0};
    dump_window_init(&window, 30 * S, 1000);
    CHECK_UINT(dump_window_losses_at_begin(&window)->ticks_taken, 0);
    for (uint64_t i = 0; i <= 1000; i++) { // every tenth of a second, each with a tick
        losses.ticks_taken = i;
        dump_window_note_losses(&window, &losses, 10 * S + i * S / 10);
    }
    CHECK(window.history_cnt <= DUMP_LOSS_HISTORY);
    dump_window_open(&window, 110 * S, 0);
    uint64_t then = dump_window_losses_at_begin(&window)->ticks_taken; // 80 s: 700
    CHECK(then <= 700 && then >= 690);
}

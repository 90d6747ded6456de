// SPDX-License-Identifier: Apache-2.0
// Whom the walker follows where nobody names them: the busiest, in as many places as there are.
#include "capture/beam/walker.h"

#include "walked_vm.h"

TEST(the_busiest_are_selected_and_the_excluded_are_not)
{
    struct walker_options options = options_with(2 * MS);
    options.goals[0] = (struct selection_goal){SELECT_BY_REDUCTIONS, 5};
    options.goal_cnt = 1;
    make_processes("27", 150);
    const uint64_t excluded[] = {processes[7].id};
    options.excluded = excluded;
    options.excluded_cnt = 1;
    start(&options);
    uint64_t reductions = 100000;
    uint64_t ids[10];
    uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_S * 1000 * MS;
    unsigned right = 0;
    for (int i = 50; i < 70; i++) { // busy once, idle now
        fake_set(&vm, &processes[i], LAYOUT_REDS, 1000000000);
    }
    while ((right < 5 || count_of(processes[5].id) == 0) && clock_monotonic_ns() < deadline_ns) {
        reductions += 1000;
        for (int i = 5; i < 11; i++) { // six of them work
            fake_set(&vm, &processes[i], LAYOUT_REDS, reductions);
        }
        clock_sleep_until_ns(clock_monotonic_ns() + MS);
        drain();
        right = 0;
        uint32_t cnt = walker_chosen(&walker, ids, 10);
        for (uint32_t k = 0; k < cnt; k++) {
            for (int i = 5; i < 11; i++) {
                right += i != 7 && ids[k] == processes[i].id;
            }
        }
    }
    stop();
    CHECK_UINT(right, 5);
    CHECK_UINT(count_of(processes[7].id), 0);
    CHECK(count_of(processes[5].id) > 0);
    CHECK_UINT(walker.gauges.process_cnt, 150);
    CHECK(walker.gauges.select_pass_cnt >= 2); // the first goes by totals
    CHECK_UINT(walker_chosen(&walker, ids, 2), 2);
    end();
}

static bool is_chosen(uint64_t id)
{
    uint64_t ids[10];
    uint32_t cnt = walker_chosen(&walker, ids, 10);
    for (uint32_t i = 0; i < cnt; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

TEST(who_is_excluded_later_loses_the_place)
{
    struct walker_options options = options_with(2 * MS);
    options.goals[0] = (struct selection_goal){SELECT_BY_MEMORY, 1};
    options.goal_cnt = 1;
    options.select_interval_ns = 5 * MS;
    make_processes("27", 20);
    fake_set(&vm, &processes[3], LAYOUT_HEAP_SZ, 1000000);
    fake_set(&vm, &processes[4], LAYOUT_HEAP_SZ, 900000);
    start(&options);
    WAIT_UNTIL(is_chosen(processes[3].id));
    CHECK(walker_command(
        &walker, (struct walker_command){WALKER_EXCLUDE, processes[3].id, TARGET_ANY_STATUS}));
    WAIT_UNTIL(is_chosen(processes[4].id));
    CHECK(!is_chosen(processes[3].id));
    stop();
    end();
}

TEST(the_places_of_those_who_ended_are_filled_before_the_interval_is_over)
{
    struct walker_options options = options_with(2 * MS);
    options.goals[0] = (struct selection_goal){SELECT_BY_MEMORY, 4};
    options.goal_cnt = 1;
    options.select_interval_ns = 3600 * 1000 * MS;
    make_processes("27", 50);
    for (int i = 10; i < 14; i++) {
        fake_set(&vm, &processes[i], LAYOUT_HEAP_SZ, 1000000);
    }
    start(&options);
    WAIT_UNTIL(is_chosen(processes[10].id));
    WAIT_UNTIL(walker.gauges.select_pass_cnt >= 2); // the next would be in an hour
    for (int i = 20; i < 22; i++) {
        fake_set(&vm, &processes[i], LAYOUT_HEAP_SZ, 500000);
        fake_set_slot(&vm, otp_layout_slot(&vm.layout, processes[i - 10].id), 0);
    }
    WAIT_UNTIL(is_chosen(processes[20].id) && is_chosen(processes[21].id));
    CHECK(is_chosen(processes[13].id) && !is_chosen(processes[10].id));
    uint64_t passes = walker.gauges.select_pass_cnt;
    // One of four is not enough.
    fake_set_slot(&vm, otp_layout_slot(&vm.layout, processes[20].id), 0);
    uint64_t ticks = ticks_taken();
    WAIT_UNTIL(ticks_taken() > ticks + 300);
    CHECK_UINT(walker.gauges.select_pass_cnt, passes);
    stop();
    end();
}

TEST(targets_beyond_the_limit_are_counted)
{
    struct walker_options options = options_with(MS);
    options.max_targets = 3;
    make_processes("27", 10);
    start(&options);
    for (int i = 0; i < 10; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(gauge(&walker.gauges.refused_target_cnt) == 7);
    stop();
    CHECK_UINT(walker.gauges.target_cnt, 3);
    end();
}

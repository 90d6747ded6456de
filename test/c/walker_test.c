// SPDX-License-Identifier: Apache-2.0
// The sampling thread: time is neither lost nor invented, every tick sees somebody, every way
// out is counted.
#include "capture/beam/walker.h"

#include "child_process.h"
#include "walked_vm.h"

// ---- time --------------------------------------------------------------------------

// A process's periods follow each other without a gap: their sum is the wall time
// from when it was first watched to its last sample.
static void check_periods(uint64_t id, uint64_t earliest_ns, uint64_t latest_ns)
{
    uint64_t at_ns = 0;
    for (uint32_t i = 0; i < sample_cnt; i++) {
        if (samples[i].id != id) {
            continue;
        }
        if (at_ns == 0) {
            at_ns = samples[i].time_ns - samples[i].period_ns;
            CHECK(at_ns >= earliest_ns && at_ns <= latest_ns);
        }
        CHECK_UINT(samples[i].period_ns, samples[i].time_ns - at_ns);
        at_ns = samples[i].time_ns;
    }
}

static void check_order(void)
{
    for (uint32_t i = 1; i < sample_cnt; i++) {
        CHECK(samples[i].time_ns >= samples[i - 1].time_ns);
    }
}

static void keep_time(const char *release, enum reader_kind kind)
{
    struct walker_options options = options_with(2 * MS);
    options.reader = kind;
    make_processes(release, 7);
    start(&options);
    uint64_t earliest_ns = clock_monotonic_ns();
    for (int i = 0; i < 7; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(gauge(&walker.gauges.target_cnt) == 7);
    uint64_t latest_ns = clock_monotonic_ns();
    drain();
    uint32_t samples_before = sample_cnt; // then the ticks: those in between are no empty ones
    uint64_t ticks_before = ticks_taken();
    WAIT_UNTIL(ticks_taken() >= ticks_before + 100);
    stop();
    uint64_t stopped_ns = clock_monotonic_ns();
    // No tick is empty (but the one that was on while we counted).
    CHECK(sample_cnt - samples_before + 1 >= ticks_taken() - ticks_before);
    check_order();
    for (int i = 0; i < 7; i++) {
        CHECK(count_of(processes[i].id) >= 10);
        check_periods(processes[i].id, earliest_ns, latest_ns);
    }
    CHECK(samples[sample_cnt - 1].time_ns <= stopped_ns);
    CHECK_UINT(walker.losses.ticks_expected, ticks_taken() + lost(LOSS_MISSED_TICK));
    for (int reason = 0; reason < LOSS_REASON_CNT; reason++) {
        CHECK(reason == LOSS_MISSED_TICK || lost((enum loss_reason)reason) == 0);
    }
    CHECK_INT(walker.gauges.reader_kind, kind);
    end();
}

TEST(periods_sum_to_wall_time_and_no_tick_is_empty)
{
    keep_time("25", READER_GUARDED_LOAD);
    keep_time("27", READER_GUARDED_LOAD);
    keep_time("27", READER_PROCESS_VM_READV);
}

TEST(a_stop_does_not_wait_for_the_next_tick)
{
    struct walker_options options = options_with(3600 * 1000 * MS);
    make_processes("27", 1);
    start(&options);
    uint64_t begin_ns = clock_monotonic_ns();
    walker_stop(&walker);
    uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    end();
    CHECK(took_ns < DEADLINE_S * 1000 * MS);
}

TEST(nobody_watched_nobody_sampled)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 5);
    start(&options);
    WAIT_UNTIL(ticks_taken() >= 20);
    stop();
    CHECK_UINT(sample_cnt, 0);
    end();
}

TEST(a_process_is_seen_as_often_as_asked)
{
    struct walker_options options = options_with(10 * MS);
    options.process_interval_ns = 100 * MS;
    CHECK_UINT(walker_effective_process_interval_ns(&options, 1), 10 * MS); // each tick sees one
    CHECK_UINT(walker_effective_process_interval_ns(&options, 9), 90 * MS);
    CHECK_UINT(walker_effective_process_interval_ns(&options, 10), 100 * MS);
    CHECK_UINT(walker_effective_process_interval_ns(&options, 1000000), 100 * MS);
    options.process_interval_ns = 1;
    CHECK_UINT(walker_effective_process_interval_ns(&options, 5), 1);
    options.process_interval_ns = 0; // chosen
    CHECK_UINT(walker_effective_process_interval_ns(&options, 1), 10 * MS);
    CHECK_UINT(walker_effective_process_interval_ns(&options, 50), 99 * MS);
    CHECK(walker_effective_process_interval_ns(&options, 100000) > 90000 * MS);
    CHECK(walker_effective_process_interval_ns(&options, 0) > 0);
}

TEST(a_stretched_pace_spares_ticks_only_where_they_would_be_empty)
{
    struct walker_options options = options_with(10 * MS);
    options.process_interval_ns = 100 * MS;
    struct walker_pace pace = walker_pace_of(&options, 50, WALKER_STRETCH_NONE);
    CHECK_UINT(pace.process_interval_ns, 100 * MS);
    CHECK_UINT(pace.sample_interval_ns, 10 * MS);
    pace = walker_pace_of(&options, 50, 400);
    CHECK_UINT(pace.process_interval_ns, 400 * MS);
    CHECK_UINT(pace.sample_interval_ns, 10 * MS); // still five at two ticks
    pace = walker_pace_of(&options, 50, 1000);
    CHECK_UINT(pace.process_interval_ns, 1000 * MS);
    CHECK_UINT(pace.sample_interval_ns, 20 * MS); // one at each
    pace = walker_pace_of(&options, 1, 400);
    CHECK_UINT(pace.process_interval_ns, 40 * MS);
    CHECK_UINT(pace.sample_interval_ns, 40 * MS);
    pace = walker_pace_of(&options, 0, WALKER_STRETCH_NONE);
    CHECK_UINT(pace.sample_interval_ns, 10 * MS);
}

TEST(weights_stay_true_while_the_pace_changes)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 3);
    start(&options);
    for (int i = 0; i < 3; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    static const uint32_t PERCENT[] = {100, 1600, 300, 100};
    for (int i = 0; i < 4; i++) {
        walker_stretch(&walker, PERCENT[i]);
        uint64_t ticks_before = ticks_taken();
        WAIT_UNTIL(ticks_taken() >= ticks_before + 20);
    }
    stop();
    for (int i = 0; i < 3; i++) { // each sample begins where the one before ended
        uint64_t until_ns = 0;
        for (uint32_t at = 0; at < sample_cnt; at++) {
            if (samples[at].id == processes[i].id) {
                CHECK(until_ns == 0 || samples[at].time_ns - samples[at].period_ns == until_ns);
                until_ns = samples[at].time_ns;
            }
        }
        CHECK(until_ns != 0);
    }
    end();
}

TEST(a_stretch_is_bounded)
{
    walker_stretch(&walker, 0);
    CHECK_UINT(atomic_load(&walker.stretch_percent), WALKER_STRETCH_NONE);
    walker_stretch(&walker, UINT32_MAX);
    CHECK_UINT(atomic_load(&walker.stretch_percent), WALKER_STRETCH_MAX);
}

TEST(many_processes_share_the_ticks_evenly)
{
    struct walker_options options = options_with(2 * MS);
    options.process_interval_ns = 20 * MS;
    make_processes("27", 100);
    start(&options);
    for (int i = 0; i < 100; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(gauge(&walker.gauges.target_cnt) == 100);
    WAIT_UNTIL(sample_cnt >= 2000);
    stop();
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t cnt = count_of(processes[i].id);
        least = cnt < least ? cnt : least;
        most = cnt > most ? cnt : most;
    }
    end();
    CHECK(most - least <= 1);
}

// ---- what is lost --------------------------------------------------------------------

TEST(a_full_ring_is_counted_and_costs_no_time)
{
    struct walker_options options = options_with(MS);
    options.ring_bytes = 4096;
    options.process_interval_ns = 1;
    make_processes("27", 20);
    start(&options);
    uint64_t earliest_ns = clock_monotonic_ns();
    for (int i = 0; i < 20; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    // Nobody drains.
    uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_S * 1000 * MS;
    while (lost(LOSS_RING_FULL) < 200 && clock_monotonic_ns() < deadline_ns) {
        clock_sleep_until_ns(clock_monotonic_ns() + MS);
    }
    uint64_t full = lost(LOSS_RING_FULL);
    WAIT_UNTIL(sample_cnt >= 200); // somebody does
    stop();
    CHECK(full >= 200);
    for (int i = 0; i < 20; i++) { // what was not written is in the next period
        check_periods(processes[i].id, earliest_ns, clock_monotonic_ns());
    }
    end();
}

TEST(a_ring_too_small_for_one_sample_is_counted)
{
    struct walker_options options = options_with(MS);
    options.ring_bytes = 4096;
    options.max_frames = 1000; // 8 kB and more
    make_processes("27", 1);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(lost(LOSS_RING_FULL) >= 5);
    stop();
    CHECK_UINT(sample_cnt, 0);
    end();
}

TEST(unreadable_processes_are_counted_and_come_back)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 2);
    start(&options);
    uint64_t earliest_ns = clock_monotonic_ns();
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 3);
    fake_set_slot(&vm, 1, 4096); // its struct is nowhere
    WAIT_UNTIL(lost(LOSS_UNREADABLE) >= 3);
    fake_set_slot(&vm, 1, fake_address(processes[0].bytes));
    uint32_t before = sample_cnt;
    WAIT_UNTIL(sample_cnt > before + 3);
    stop();
    check_periods(processes[0].id, earliest_ns, clock_monotonic_ns());
    end();
}

TEST(implausible_processes_are_counted)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 1);
    fake_set(&vm, &processes[0], LAYOUT_HTOP, 8);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(lost(LOSS_IMPLAUSIBLE) >= 3);
    stop();
    CHECK_UINT(sample_cnt, 0);
    end();
}

TEST(who_is_gone_leaves)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 3);
    start(&options);
    for (int i = 0; i < 3; i++) {
        watch(processes[i].id, TARGET_ANY_STATUS);
    }
    WAIT_UNTIL(gauge(&walker.gauges.explicit_cnt) == 3);
    fake_set_slot(&vm, 1, 0);
    WAIT_UNTIL(gauge(&walker.gauges.target_cnt) == 2);
    CHECK(walker_command(&walker, (struct walker_command){WALKER_UNWATCH, processes[1].id, 0}));
    WAIT_UNTIL(gauge(&walker.gauges.target_cnt) == 1);
    uint32_t before = count_of(processes[1].id);
    uint32_t other = count_of(processes[2].id);
    WAIT_UNTIL(count_of(processes[2].id) > other + 5);
    stop();
    CHECK_UINT(count_of(processes[1].id), before);
    CHECK_UINT(lost(LOSS_CHANGED) + lost(LOSS_UNREADABLE) + lost(LOSS_IMPLAUSIBLE), 0);
    end();
}

static void exit_42(int signal_number)
{
    (void)signal_number;
    _exit(42);
}

static void meet_a_fault_handler(void)
{
    struct walker_options options = options_with(MS);
    struct sigaction theirs;
    struct sigaction ours;
    options.reader = READER_GUARDED_LOAD;
    memset(&theirs, 0, sizeof theirs);
    theirs.sa_handler = exit_42;
    make_processes("27", 2);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 3);
    CHECK(sigaction(SIGSEGV, &theirs, &ours) == 0);
    WAIT_UNTIL(atomic_load(&walker.gauges.reading_stops) >= 3);
    uint32_t before = sample_cnt;
    CHECK(lost(LOSS_UNREADABLE) >= 3);
    CHECK(sigaction(SIGSEGV, &ours, NULL) == 0);
    WAIT_UNTIL(sample_cnt > before + 3);
    stop();
    end();
}

TEST(a_foreign_fault_handler_stops_the_reading_while_it_is_there)
{
    CHECK_CHILD_PASSES(meet_a_fault_handler);
}

static void fall_back_to_the_kernel(void)
{
    struct walker_options options = options_with(MS);
    struct sigaction theirs;
    memset(&theirs, 0, sizeof theirs);
    theirs.sa_handler = exit_42;
    make_processes("27", 2);
    start(&options);
    CHECK_INT(walker.gauges.reader_kind, READER_GUARDED_LOAD);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 3);
    CHECK(sigaction(SIGSEGV, &theirs, NULL) == 0);
    WAIT_UNTIL(atomic_load(&walker.gauges.reader_kind) == READER_PROCESS_VM_READV);
    uint32_t before = sample_cnt;
    WAIT_UNTIL(sample_cnt > before + 3);
    stop();
    CHECK_UINT(walker.gauges.reading_stops, 0);
    CHECK_UINT(lost(LOSS_UNREADABLE), 0);
    end();
}

TEST(an_automatic_reader_goes_on_beside_a_foreign_handler)
{
    CHECK_CHILD_PASSES(fall_back_to_the_kernel);
}

// ---- commands and code ---------------------------------------------------------------

TEST(waiting_commands_are_bounded)
{
    struct walker_options options = options_with(3600 * 1000 * MS);
    make_processes("27", 1);
    start(&options);
    const struct walker_command command = {WALKER_WATCH, processes[0].id, TARGET_ANY_STATUS};
    for (int i = 0; i < WALKER_MAX_COMMANDS; i++) {
        CHECK(walker_command(&walker, command));
    }
    CHECK(!walker_command(&walker, command));
    stop();
    end();
}

TEST(loaded_code_begins_a_generation)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 1);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 3);
    CHECK_UINT(samples[sample_cnt - 1].code_generation, 0);
    fake_code_list_add(&code, symfile, sizeof symfile);
    WAIT_UNTIL(samples[sample_cnt - 1].code_generation == 1);
    uint32_t before = sample_cnt;
    WAIT_UNTIL(sample_cnt > before + 5);
    stop();
    CHECK_UINT(samples[sample_cnt - 1].code_generation, 1);
    end();
}

// ---- starting -----------------------------------------------------------------------------

static void start_beside_a_handler(void)
{
    struct walker_options options = options_with(MS);
    struct sigaction theirs;
    struct error err = {0};
    const struct jit_code_list list = {0};
    options.reader = READER_GUARDED_LOAD;
    memset(&theirs, 0, sizeof theirs);
    theirs.sa_handler = exit_42;
    CHECK(sigaction(SIGSEGV, &theirs, NULL) == 0);
    make_processes("27", 1);
    CHECK(!walker_start(&walker, &vm.layout, &list, &options, &err));
    CHECK_INT(err.code, ERROR_UNSUPPORTED);
    CHECK(!walker.running && walker.ring.bytes == NULL && walker.targets.targets == NULL);
    walker_stop(&walker);
}

TEST(a_start_without_a_reader_leaves_nothing)
{
    CHECK_CHILD_PASSES(start_beside_a_handler);
}

TEST(starting_and_stopping_often_leaves_nothing)
{
    struct walker_options options = options_with(MS);
    options.goals[0] = (struct selection_goal){SELECT_BY_REDUCTIONS, 10};
    options.goal_cnt = 1;
    make_processes("27", 20);
    for (int i = 0; i < 100; i++) {
        start(&options);
        watch(processes[i % 20].id, TARGET_ANY_STATUS);
        if (i % 3 == 0) {
            WAIT_UNTIL(ticks_taken() >= 2);
        }
        walker_stop(&walker);
        walker_deinit(&walker);
    }
    fake_vm_deinit(&vm);
    struct sigaction now;
    CHECK(sigaction(SIGSEGV, NULL, &now) == 0);
    CHECK(now.sa_handler == SIG_DFL);
}

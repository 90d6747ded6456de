// SPDX-License-Identifier: Apache-2.0
// The sampling thread over a process table in the test's own memory: time is
// neither lost nor invented, every tick sees somebody, every way out is counted.
#include "capture/beam/walker.h"

#include "base/clock.h"
#include "child_process.h"
#include "fake_code.h"
#include "fake_vm.h"

#include <sched.h>

enum { SLOTS = 1024, MAX_SAMPLES = 200000, MAX_PROCESSES = 200, DEADLINE_S = 60 };
#define MS (1ULL * CLOCK_NS_PER_MS)

// What is kept of a sample.
struct seen {
    uint64_t time_ns;
    uint64_t period_ns;
    uint64_t id;
    uint16_t status;
    uint16_t stack;
    uint32_t frame_cnt;
    uint32_t code_generation;
    struct metric_value reductions;
};

static struct fake_vm vm;
static struct fake_code_list code;
static struct fake_process processes[MAX_PROCESSES];
static struct walker walker;
static struct seen samples[MAX_SAMPLES];
static uint32_t sample_cnt;
static uint64_t symfile[4] = {1};
// The last one whole.
static struct {
    struct process_sample head;
    uint64_t frames[512];
} last;

static struct walker_options options_with(uint64_t sample_interval_ns)
{
    return (struct walker_options){
        .sample_interval_ns = sample_interval_ns,
        .process_interval_ns = 50 * MS,
        .select_interval_ns = 20 * MS,
        .auto_status_filter = TARGET_ANY_STATUS,
        .max_targets = 1000,
        .max_frames = 64,
        .ring_bytes = 1 << 20,
    };
}

static void make_processes(const char *release, uint32_t cnt)
{
    fake_vm_init(&vm, release, SLOTS);
    memset(&code, 0, sizeof code);
    fake_code_list_init(&code);
    fake_code_list_add(&code, symfile, sizeof symfile);
    for (uint32_t i = 0; i < cnt; i++) {
        processes[i] = fake_spawn(&vm, 1 + i * 3, 1, 64, 10);
    }
}

static void start(const struct walker_options *options)
{
    struct error err = {0};
    const struct jit_code_list list = {fake_place(code.descriptor), code.descriptor[2]};
    sample_cnt = 0;
    if (!walker_start(&walker, &vm.layout, &list, options, &err)) {
        TEST_FAIL("start: %s", err.detail);
    }
}

static void watch(uint64_t id, int status_filter)
{
    CHECK(walker_command(&walker, (struct walker_command){WALKER_WATCH, id, status_filter}));
}

static void drain(void)
{
    uint32_t len;
    const struct process_sample *raw;
    while ((raw = spsc_ring_peek(&walker.ring, &len)) != NULL) {
        CHECK_UINT(len, process_sample_bytes(raw));
        CHECK(len <= sizeof last && sample_cnt < MAX_SAMPLES);
        memcpy(&last, raw, len);
        samples[sample_cnt++] = (struct seen){
            .time_ns = raw->time_ns,
            .period_ns = raw->period_ns,
            .id = raw->id,
            .status = raw->status,
            .stack = raw->stack,
            .frame_cnt = raw->frame_cnt,
            .code_generation = raw->code_generation,
            .reductions = raw->metrics[BEAM_METRIC_REDUCTIONS],
        };
        spsc_ring_pop(&walker.ring);
    }
}

static void stop(void)
{
    walker_stop(&walker);
    walker_stop(&walker);
    drain();
}

static void end(void)
{
    walker_deinit(&walker);
    fake_vm_deinit(&vm);
}

static uint64_t ticks_taken(void)
{
    return atomic_load(&walker.losses.ticks_taken);
}

static uint64_t lost(enum loss_reason reason)
{
    return atomic_load(&walker.losses.lost[reason]);
}

static uint64_t gauge(const _Atomic uint64_t *value)
{
    return atomic_load(value);
}

// Waits for a condition, draining meanwhile; the deadline is for a broken walker.
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t wait_deadline_ns = clock_monotonic_ns() + DEADLINE_S * 1000 * MS;                 \
        drain();                                                                                   \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ns() > wait_deadline_ns)                                           \
                TEST_FAIL("not within %d s: %s", DEADLINE_S, #condition);                          \
            clock_sleep_until_ns(clock_monotonic_ns() + MS);                                       \
            drain();                                                                               \
        }                                                                                          \
    } while (0)

static uint32_t count_of(uint64_t id)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < sample_cnt; i++) {
        cnt += samples[i].id == id;
    }
    return cnt;
}

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
    uint64_t ticks_before = ticks_taken();
    drain();
    uint32_t samples_before = sample_cnt;
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

TEST(a_stop_is_obeyed_within_a_second)
{
    struct walker_options options = options_with(3600 * 1000 * MS);
    make_processes("27", 1);
    start(&options);
    uint64_t begin_ns = clock_monotonic_ns();
    walker_stop(&walker);
    uint64_t took_ns = clock_monotonic_ns() - begin_ns;
    end();
    CHECK(took_ns < 1000 * MS);
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
        clock_sleep_until_ns(clock_monotonic_ns() + 100 * MS);
        drain();
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

// ---- what is in a sample ------------------------------------------------------------

TEST(samples_carry_status_stack_and_changes)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 1);
    fake_set(&vm, &processes[0], LAYOUT_REDS, 100);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 3);
    fake_set(&vm, &processes[0], LAYOUT_REDS, 350);
    uint32_t before = sample_cnt;
    WAIT_UNTIL(sample_cnt > before + 3);
    fake_set(&vm, &processes[0], LAYOUT_STATE, FAKE_EXITING);
    before = sample_cnt;
    WAIT_UNTIL(sample_cnt > before + 3);
    stop();
    CHECK_INT(samples[0].reductions.value, 100);
    CHECK_INT(samples[0].reductions.delta, 0);
    int64_t sum = 0;
    for (uint32_t i = 0; i < sample_cnt; i++) {
        sum += samples[i].reductions.delta;
    }
    CHECK_INT(sum, 250);
    CHECK_INT(samples[1].status, PROCESS_WAITING);
    CHECK_INT(samples[1].stack, STACK_WHOLE);
    CHECK_UINT(samples[1].frame_cnt, 6); // where it goes on, and 5 return addresses of 10 words
    CHECK_INT(samples[sample_cnt - 1].status, PROCESS_EXITING);
    CHECK_INT(samples[sample_cnt - 1].stack, STACK_MISSING);
    CHECK_UINT(samples[sample_cnt - 1].frame_cnt, 0);
    CHECK(atomic_load(&walker.losses.degraded[DEGRADED_STACK_MISSING]) > 0);
    CHECK_INT(last.head.metrics[BEAM_METRIC_HEAP_BLOCK_SIZE].value, 64); // as last known
    CHECK_INT(last.head.metrics[BEAM_METRIC_HEAP_BLOCK_SIZE].delta, 0);
    end();
}

TEST(garbage_in_metrics_wraps)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 1);
    fake_set(&vm, &processes[0], LAYOUT_REDS, INT64_MAX);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 2);
    fake_set(&vm, &processes[0], LAYOUT_REDS, 1ULL << 63);
    uint32_t before = sample_cnt;
    WAIT_UNTIL(sample_cnt >= before + 2);
    stop();
    CHECK_INT(samples[sample_cnt - 1].reductions.value, INT64_MIN);
    end();
}

static void check_cut(uint64_t stack_words, uint32_t max_frames)
{
    struct walker_options options = options_with(MS);
    options.max_frames = max_frames;
    make_processes("27", 0);
    processes[0] = fake_spawn(&vm, 1, 1, 4 * stack_words + 16, stack_words);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 1);
    stop();
    uint64_t addresses = (stack_words + 1) / 2;
    const struct process_sample *head = &last.head;
    CHECK_UINT(last.frames[0], fake_return_address(999));
    CHECK(head->frame_cnt <= max_frames);
    if (addresses < max_frames && stack_words <= 1280) {
        CHECK_UINT(head->frame_cnt, addresses + 1);
        CHECK_UINT(head->gap_frames, 0);
    } else {
        CHECK_UINT(head->gap_frames,
                   stack_words > 1280 ? GAP_FRAMES_UNKNOWN : addresses + 1 - head->frame_cnt);
        CHECK(head->gap_at > 0 && head->gap_at <= head->frame_cnt);
        uint64_t number = 0;
        for (uint32_t i = 1; i < head->gap_at; i++, number += 2) { // from the leaf on
            CHECK_UINT(last.frames[i], fake_return_address(number));
        }
        number = (addresses - 1) * 2;
        for (uint32_t i = head->frame_cnt - 1; i >= head->gap_at;
             i--, number -= 2) { // from the root
            CHECK_UINT(last.frames[i], fake_return_address(number));
        }
        CHECK(atomic_load(&walker.losses.degraded[DEGRADED_STACK_TRUNCATED]) > 0);
    }
    end();
}

TEST(deep_stacks_keep_both_ends)
{
    check_cut(0, 64);
    check_cut(1, 2);
    check_cut(126, 64); // as many as allowed
    check_cut(128, 64); // one more
    check_cut(400, 16);
    check_cut(1280, 500);
    check_cut(5000, 500);
    check_cut(100, 1);
    check_cut(100, 2);
}

TEST(what_is_initial_is_read_from_the_dictionary)
{
    struct walker_options options = options_with(MS);
    make_processes("25", 1);
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 2);
    stop();
    CHECK_UINT(last.head.initial[0], fake_atom(1)); // as it was spawned
    CHECK_UINT(last.head.name, 0);
    end();
    make_processes("25", 1);
    uint64_t *slots = fake_dictionary(&vm, 8);
    slots[3] = fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
    slots[4] = fake_pair(&vm, vm.layout.label_key, fake_atom(12));
    slots[5] = fake_pair(&vm, vm.layout.ancestors_key, fake_cons(&vm, fake_atom(13), FAKE_NIL));
    fake_set(&vm, &processes[0], LAYOUT_PARENT, fake_pid(&vm, 9, 1));
    fake_set(&vm, &processes[0], LAYOUT_GROUP_LEADER, fake_pid(&vm, 8, 1));
    fake_set(&vm, &processes[0], LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    fake_register(&vm, &processes[0], fake_atom(5));
    start(&options);
    watch(processes[0].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(sample_cnt >= 2);
    stop();
    CHECK_UINT(last.head.initial[0], fake_atom(10));
    CHECK_UINT(last.head.initial[1], fake_atom(11));
    CHECK_UINT(last.head.initial[2], 4);
    CHECK_UINT(last.head.name, fake_atom(5));
    CHECK_UINT(last.head.ancestors[0], fake_atom(13));
    CHECK_UINT(last.head.parent, fake_pid(&vm, 9, 1));
    CHECK_UINT(last.head.group_leader, fake_pid(&vm, 8, 1));
    CHECK_UINT(last.head.label_cnt, 1);
    CHECK_UINT(last.frames[last.head.frame_cnt], fake_atom(12));
    end();
}

TEST(a_status_filter_takes_only_time_in_that_status)
{
    struct walker_options options = options_with(MS);
    make_processes("27", 2);
    start(&options);
    watch(processes[0].id, PROCESS_RUNNABLE);
    watch(processes[1].id, TARGET_ANY_STATUS);
    WAIT_UNTIL(count_of(processes[1].id) >= 10);
    CHECK_UINT(count_of(processes[0].id), 0);
    uint64_t begin_ns = clock_monotonic_ns();
    fake_set(&vm, &processes[0], LAYOUT_STATE, FAKE_RUNNABLE);
    WAIT_UNTIL(count_of(processes[0].id) >= 10);
    fake_set(&vm, &processes[0], LAYOUT_STATE, FAKE_WAITING);
    uint32_t others = count_of(processes[1].id);
    WAIT_UNTIL(count_of(processes[1].id) >= others + 5);
    uint64_t end_ns = clock_monotonic_ns();
    stop();
    uint64_t sum_ns = 0;
    uint64_t first_period_ns = 0;
    for (uint32_t i = 0; i < sample_cnt; i++) {
        if (samples[i].id == processes[0].id) {
            CHECK_INT(samples[i].status, PROCESS_RUNNABLE);
            first_period_ns = sum_ns == 0 ? samples[i].period_ns : first_period_ns;
            sum_ns += samples[i].period_ns;
        }
    }
    // The first reaches back at most to the last look that found it waiting.
    CHECK(sum_ns - first_period_ns <= end_ns - begin_ns);
    end();
}

// ---- selection --------------------------------------------------------------------------

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

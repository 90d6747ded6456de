// SPDX-License-Identifier: Apache-2.0
// What a sample of the walker says: status, stack with both ends, changes, who it is.
#include "capture/beam/walker.h"

#include "walked_vm.h"

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

// SPDX-License-Identifier: Apache-2.0
#include "model/profile_dictionary.h"

#include "test.h"

enum { RUNS = 2000, RUN_FRAMES = 40, MAX_BYTES = 16 << 20 };

static stack_id stack_of(struct profile_dictionary *dictionary, const frame_id *frames,
                         uint32_t cnt)
{
    stack_id stack = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        stack = profile_dictionary_stack(dictionary, stack, frames[i]);
    }
    return stack;
}

// Runs that leave each other at depths of their own.
static void fill_run(frame_id *frames, uint32_t run)
{
    for (uint32_t i = 0; i < RUN_FRAMES; i++) {
        frames[i] = 1 + (i < run % RUN_FRAMES ? i : run * 7 + i);
    }
}

TEST(a_stack_has_one_id)
{
    struct profile_dictionary dictionary;
    static stack_id ids[RUNS];
    frame_id frames[RUN_FRAMES];
    CHECK(profile_dictionary_init(&dictionary, MAX_BYTES));
    for (uint32_t run = 0; run < RUNS; run++) {
        fill_run(frames, run);
        ids[run] = stack_of(&dictionary, frames, RUN_FRAMES);
    }
    uint32_t node_cnt = dictionary.node_cnt;
    for (uint32_t run = RUNS; run-- > 0;) {
        fill_run(frames, run);
        CHECK_UINT(stack_of(&dictionary, frames, RUN_FRAMES), ids[run]);
    }
    CHECK_UINT(dictionary.node_cnt, node_cnt);
    profile_dictionary_deinit(&dictionary);
}

TEST(a_stack_is_its_frames)
{
    struct profile_dictionary dictionary;
    frame_id frames[RUN_FRAMES];
    uint32_t run = RUNS / 2 - 1;
    CHECK(profile_dictionary_init(&dictionary, MAX_BYTES));
    for (uint32_t i = 0; i < RUNS; i++) {
        fill_run(frames, i);
        (void)stack_of(&dictionary, frames, RUN_FRAMES);
    }
    fill_run(frames, run);
    stack_id stack = stack_of(&dictionary, frames, RUN_FRAMES);
    for (uint32_t i = RUN_FRAMES; i > 0; i--) {
        CHECK_UINT(dictionary.nodes[stack].frame, frames[i - 1]);
        CHECK(dictionary.nodes[stack].parent < stack);
        stack = dictionary.nodes[stack].parent;
    }
    CHECK_UINT(stack, 0);
    profile_dictionary_deinit(&dictionary);
}

// Two on top of one node, the second after others came between.
TEST(siblings)
{
    struct profile_dictionary dictionary;
    CHECK(profile_dictionary_init(&dictionary, MAX_BYTES));
    stack_id root = profile_dictionary_stack(&dictionary, 0, 1);
    stack_id first = profile_dictionary_stack(&dictionary, root, 2);
    stack_id second = profile_dictionary_stack(&dictionary, root, 3);
    stack_id other_root = profile_dictionary_stack(&dictionary, 0, 2);
    CHECK(first != second && second != other_root && other_root != first);
    CHECK_UINT(profile_dictionary_stack(&dictionary, root, 3), second);
    CHECK_UINT(profile_dictionary_stack(&dictionary, root, 2), first);
    CHECK_UINT(profile_dictionary_stack(&dictionary, 0, 2), other_root);
    CHECK_UINT(profile_dictionary_stack(&dictionary, 0, 1), root);
    CHECK_UINT(dictionary.node_cnt, 5);
    profile_dictionary_deinit(&dictionary);
}

// Of a run only where it begins is in the index.
TEST(the_index_is_small)
{
    struct profile_dictionary dictionary;
    frame_id frames[RUN_FRAMES];
    CHECK(profile_dictionary_init(&dictionary, MAX_BYTES));
    for (uint32_t run = 0; run < RUNS; run++) {
        fill_run(frames, run);
        (void)stack_of(&dictionary, frames, RUN_FRAMES);
    }
    CHECK(dictionary.node_cnt > RUNS * RUN_FRAMES / 3);
    CHECK(dictionary.stack_ids.cnt <= RUNS);
    profile_dictionary_deinit(&dictionary);
}

TEST(a_full_one_gives_the_parent)
{
    struct profile_dictionary dictionary;
    stack_id stack = 0;
    CHECK(profile_dictionary_init(&dictionary, 16 << 10));
    for (frame_id i = 1; i < RUNS * RUN_FRAMES && dictionary.refused_cnt == 0; i++) {
        stack_id parent = i % 3 == 0 ? 0 : stack;
        stack = profile_dictionary_stack(&dictionary, parent, i);
        CHECK(dictionary.refused_cnt == 0 || stack == parent);
    }
    CHECK(dictionary.refused_cnt > 0);
    CHECK(profile_dictionary_memory_bytes(&dictionary) < 64 << 10);
    profile_dictionary_deinit(&dictionary);
}

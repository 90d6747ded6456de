// SPDX-License-Identifier: Apache-2.0
#include "record/system/sample_queue.h"

#include "test.h"

static struct sample_queue queue;

static enum sample_queue_result push(uint64_t time_ns, uint32_t tid)
{
    static const uint64_t FRAMES[] = {1, 2, 3};
    struct system_sample sample = {
        .time_ns = time_ns, .tid = tid, .kernel_cnt = 1, .user_cnt = 2, .frames = FRAMES};
    return sample_queue_push(&queue, &sample, NULL);
}

static void begin(size_t max_bytes)
{
    sample_queue_deinit(&queue);
    sample_queue_init(&queue, max_bytes);
}

TEST(samples_come_out_in_the_order_of_time)
{
    begin(1 << 20);
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK_INT(push(i * 7919 % 1000, (uint32_t)i), SAMPLE_QUEUED);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        const struct queued_sample *queued = sample_queue_pop(&queue, UINT64_MAX);
        CHECK(queued != NULL);
        CHECK_UINT(queued->sample.time_ns, i);
        CHECK_UINT(queued->sample.frames[2], 3);
    }
    CHECK(sample_queue_pop(&queue, UINT64_MAX) == NULL);
    CHECK_UINT(queue.bytes, 0);
}

TEST(samples_of_one_time_keep_their_order)
{
    begin(1 << 20);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_INT(push(5, i), SAMPLE_QUEUED);
    }
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_UINT(sample_queue_pop(&queue, UINT64_MAX)->sample.tid, i);
    }
}

static void check_frames(const struct queued_sample *queued)
{
    const struct system_sample *out = &queued->sample;
    for (uint32_t j = 0; j < out->user_cnt; j++) {
        CHECK_UINT(out->frames[j], (uint64_t)out->tid << 32 | j);
    }
    CHECK_UINT(out->user_cnt, out->tid * 31 % 200);
    CHECK_UINT(queued->hashes.address_cnt, out->user_cnt);
    CHECK_UINT(queued->hashes.parts[0], out->tid);
}

// Stacks of all depths, some hundred of them in the queue at a time, over many chunks.
TEST(what_comes_out_is_what_was_put_in)
{
    static uint64_t frames[200];
    begin(1 << 20);
    for (uint32_t i = 0; i < 20000; i++) {
        uint16_t cnt = (uint16_t)(i * 31 % 200);
        for (uint32_t j = 0; j < cnt; j++) {
            frames[j] = (uint64_t)i << 32 | j;
        }
        struct system_sample sample = {
            .time_ns = 1000 + (i ^ 1), .tid = i, .user_cnt = cnt, .frames = frames};
        struct stack_hashes hashes = {.address_cnt = cnt, .parts = {i}};
        CHECK_INT(sample_queue_push(&queue, &sample, &hashes), SAMPLE_QUEUED);
        const struct queued_sample *queued = i < 500 ? NULL : sample_queue_pop(&queue, UINT64_MAX);
        if (queued != NULL) {
            check_frames(queued);
        }
    }
    begin(1 << 20);
    CHECK_UINT(queue.bytes, 0);
}

TEST(young_samples_are_held_back)
{
    begin(1 << 20);
    CHECK_INT(push(10, 1), SAMPLE_QUEUED);
    CHECK(sample_queue_pop(&queue, 10) == NULL);
    CHECK(sample_queue_pop(&queue, 11) != NULL);
}

TEST(the_oldest_can_be_looked_at)
{
    begin(1 << 20);
    CHECK(sample_queue_oldest(&queue) == NULL);
    CHECK_INT(push(10, 1), SAMPLE_QUEUED);
    CHECK_INT(push(5, 2), SAMPLE_QUEUED);
    CHECK_UINT(sample_queue_oldest(&queue)->sample.tid, 2);
    CHECK_UINT(sample_queue_pop(&queue, UINT64_MAX)->sample.tid, 2);
    CHECK_UINT(sample_queue_oldest(&queue)->sample.tid, 1);
}

TEST(the_newest_time_is_known)
{
    begin(1 << 20);
    CHECK_UINT(sample_queue_newest_ns(&queue), 0);
    CHECK_INT(push(20, 1), SAMPLE_QUEUED);
    CHECK_INT(push(10, 2), SAMPLE_QUEUED);
    CHECK_UINT(sample_queue_newest_ns(&queue), 20);
    CHECK(sample_queue_pop(&queue, UINT64_MAX) != NULL);
    CHECK_UINT(sample_queue_newest_ns(&queue), 20);
    CHECK(sample_queue_pop(&queue, UINT64_MAX) != NULL);
    CHECK_UINT(sample_queue_newest_ns(&queue), 0);
}

TEST(a_sample_older_than_one_given_out_is_late)
{
    begin(1 << 20);
    CHECK_INT(push(10, 1), SAMPLE_QUEUED);
    CHECK(sample_queue_pop(&queue, UINT64_MAX) != NULL);
    CHECK_INT(push(9, 2), SAMPLE_LATE);
    CHECK_INT(push(10, 3), SAMPLE_QUEUED);
}

TEST(a_full_queue_refuses)
{
    begin(1500);
    uint32_t cnt = 0;
    while (push(cnt, cnt) == SAMPLE_QUEUED && cnt < 100) {
        cnt++;
    }
    CHECK(cnt > 2 && cnt < 10);
    CHECK(queue.bytes <= 1500);
    CHECK(sample_queue_pop(&queue, UINT64_MAX) != NULL);
    CHECK_INT(push(50, 1), SAMPLE_QUEUED);
    sample_queue_deinit(&queue);
    sample_queue_deinit(&queue);
}

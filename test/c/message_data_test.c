// SPDX-License-Identifier: Apache-2.0
// The data that queued messages carry: counted for the first few, whatever the
// queue holds.
#include "capture/beam/message_data.h"

#include "child_process.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct memory_reader reader;

static void for_each(void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        fake_vm_init(&vm, "27", 1024);
        fake_open_reader(&reader, FAKE_READERS[kind]);
        part();
        memory_reader_close(&reader);
        fake_vm_deinit(&vm);
    }
}

static void check_data(uint64_t first, int64_t words, int64_t fragment_words)
{
    struct message_data data = message_data_read(&reader, first);
    CHECK_INT(data.words, words);
    CHECK_INT(data.fragment_words, fragment_words);
}

static uint64_t *combined_message(uint64_t words)
{
    uint64_t *message = fake_message(&vm, 1, fake_atom(1));
    message[5 + 4] = words;
    return message;
}

static void count_each_kind(void)
{
    check_data(0, 0, 0);
    check_data(fake_address(fake_message(&vm, 0, fake_small(5))), 0, 0); // on the heap
    check_data(fake_address(combined_message(9)), 9, 0);
    uint64_t *fragment = fake_fragment(&vm, 20);
    check_data(fake_address(fake_message(&vm, fake_address(fragment), fake_atom(1))), 20, 20);
    uint64_t *second = fake_fragment(&vm, 7);
    fragment[0] = fake_address(second);
    check_data(fake_address(fake_message(&vm, fake_address(fragment), fake_atom(1))), 27, 27);
    // A receive marker, or a message of another node that is not decoded.
    check_data(fake_address(fake_message(&vm, fake_address(fragment), 0)), 0, 0);
    check_data(fake_address(fake_message(&vm, fake_address(fragment), 0x1000)), 0, 0);
}

TEST(each_kind_of_message_is_counted)
{
    for_each(count_each_kind);
}

static void count_a_queue(void)
{
    uint64_t next = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t *message = combined_message(10);
        message[0] = next;
        next = fake_address(message);
        int64_t cnt = i + 1 < MESSAGE_DATA_MAX_MESSAGES ? i + 1 : MESSAGE_DATA_MAX_MESSAGES;
        check_data(next, 10 * cnt, 0);
    }
}

TEST(a_long_queue_is_bounded)
{
    for_each(count_a_queue);
}

static void follow_long_chains(void)
{
    uint64_t next = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t *fragment = fake_fragment(&vm, 3);
        fragment[0] = next;
        next = fake_address(fragment);
    }
    check_data(fake_address(fake_message(&vm, next, fake_atom(1))), 3 * MESSAGE_DATA_MAX_FRAGMENTS,
               3 * MESSAGE_DATA_MAX_FRAGMENTS);
}

TEST(a_long_chain_of_fragments_is_bounded)
{
    for_each(follow_long_chains);
}

static void go_round(void)
{
    uint64_t *message = combined_message(2);
    message[0] = fake_address(message);
    message[5] = fake_address(message + 5);
    struct message_data data = message_data_read(&reader, fake_address(message));
    CHECK_INT(data.words, 2 * MESSAGE_DATA_MAX_MESSAGES * MESSAGE_DATA_MAX_FRAGMENTS);
    uint64_t *other = combined_message(1);
    other[0] = fake_address(message);
    message[0] = fake_address(other);
    data = message_data_read(&reader, fake_address(message));
    CHECK(data.words > 0);
}

TEST(queues_that_go_round_end)
{
    for_each(go_round);
}

static void lose_the_way(void)
{
    uint64_t *first = combined_message(5);
    uint64_t *second = fake_message(&vm, 4096, fake_atom(1)); // its data is not readable
    first[0] = fake_address(second);
    second[0] = UINT64_MAX - 7; // nor what follows
    check_data(fake_address(first), 5, 0);
    check_data(8, 0, 0);
    check_data(UINT64_MAX, 0, 0);
    uint64_t *fragment = fake_fragment(&vm, 6);
    fragment[0] = 0x10000; // the rest of it is gone
    second[1] = fake_address(fragment);
    check_data(fake_address(first), 11, 6);
}

TEST(what_cannot_be_read_is_left_out)
{
    for_each(lose_the_way);
}

static void bound_the_sum(void)
{
    uint64_t *message = combined_message(UINT64_MAX);
    message[0] = fake_address(message);
    message[5] = fake_address(message + 5);
    struct message_data data = message_data_read(&reader, fake_address(message));
    CHECK(data.words > 0 && data.words < 1LL << 47);
}

TEST(absurd_sizes_do_not_overflow)
{
    for_each(bound_the_sum);
}

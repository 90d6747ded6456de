// SPDX-License-Identifier: Apache-2.0
// The longest queue and the largest heap among the processes of a table in the
// test's own memory.
#include "capture/beam/process_extremes.h"

#include "child_process.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct memory_reader reader;
static struct process_extremes extremes;

static void find(void)
{
    memset(&extremes, 0xFF, sizeof extremes);
    process_extremes_find(&reader, &vm.layout, &extremes);
}

static void find_among(const char *release, enum reader_kind kind)
{
    struct fake_process processes[40];
    fake_vm_init(&vm, release, 1024);
    fake_open_reader(&reader, kind);
    find();
    CHECK_UINT(extremes.process_cnt, 0);
    CHECK_UINT(extremes.queue.id, 0);
    for (uint64_t i = 0; i < 40; i++) {
        processes[i] = fake_spawn(&vm, i * 25, 1, 64, 6); // the last slots are free
        fake_set(&vm, &processes[i], LAYOUT_MSGQ_LEN, i);
    }
    fake_set(&vm, &processes[7], LAYOUT_MSGQ_LEN, 500);
    fake_set(&vm, &processes[7], LAYOUT_INQ_LEN, 1);
    fake_old_heap(&vm, &processes[11], 4000, 100);
    fake_set(&vm, &processes[12], LAYOUT_MSGQ_LEN, (uint64_t)-5); // in transit
    find();
    CHECK_UINT(extremes.process_cnt, 40);
    CHECK_UINT(extremes.queue.id, processes[7].id);
    CHECK_UINT(extremes.queue.value, 501);
    CHECK_UINT(extremes.memory.id, processes[11].id);
    CHECK_UINT(extremes.memory.value, 4064 * 8);
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

TEST(the_longest_queue_and_the_largest_heap_are_found)
{
    find_among("25", READER_GUARDED_LOAD);
    find_among("27", READER_GUARDED_LOAD);
    find_among("27", READER_PROCESS_VM_READV);
}

TEST(what_is_in_the_last_slot_counts)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, READER_GUARDED_LOAD);
    struct fake_process last = fake_spawn(&vm, 1023, 1, 64, 6);
    fake_set(&vm, &last, LAYOUT_MSGQ_LEN, 3);
    find();
    CHECK_UINT(extremes.queue.id, last.id);
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

TEST(who_goes_away_is_left_out)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, READER_GUARDED_LOAD);
    struct fake_process other = fake_spawn(&vm, 1, 1, 64, 6);
    fake_set(&vm, &other, LAYOUT_MSGQ_LEN, 3);
    struct fake_process gone = fake_spawn(&vm, 2, 1, 64, 6);
    fake_set(&vm, &gone, LAYOUT_MSGQ_LEN, 9000);
    fake_set(&vm, &gone, LAYOUT_ID, fake_pid(&vm, 77, 1)); // its memory is somebody else's
    fake_set_slot(&vm, 3, 0x1000);                         // unreadable
    find();
    CHECK_UINT(extremes.process_cnt, 1);
    CHECK_UINT(extremes.queue.id, other.id);
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

TEST(nonsense_is_not_an_extreme)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, READER_GUARDED_LOAD);
    struct fake_process one = fake_spawn(&vm, 1, 1, 64, 6);
    struct fake_process torn = fake_spawn(&vm, 2, 1, 64, 6);
    fake_set(&vm, &torn, LAYOUT_OLD_HEAP, 0x7F0000000000); // its end is not there yet
    find();
    CHECK_UINT(extremes.process_cnt, 2);
    CHECK_UINT(extremes.memory.id, one.id);
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

// SPDX-License-Identifier: Apache-2.0
// Finding the schedulers' data by structure, among lookalikes.
#include "capture/beam/scheduler_table.h"

#include "child_process.h"
#include "fake_vm.h"

enum { ENTRY_BYTES = 41728, DATA_WORDS = 256 };

static struct fake_vm vm;
static struct memory_reader reader;
static struct scheduler_table table;
static uint64_t *data; // the emulator's static data
static unsigned char *arrays[SCHEDULER_KIND_CNT];
static struct error err;

static void put(unsigned char *entry, size_t at, uint64_t value)
{
    memcpy(entry + at, &value, sizeof value);
}

static unsigned char *make_array(enum scheduler_kind kind, uint32_t cnt)
{
    unsigned char *first = fake_alloc(&vm, (size_t)cnt * ENTRY_BYTES + 512);
    for (uint32_t i = 0; i < cnt; i++) {
        unsigned char *entry = first + (size_t)i * ENTRY_BYTES;
        put(entry, SCHEDULER_REGISTERS, 0x7F0000001000 + i * 8ULL);
        put(entry, SCHEDULER_TYPE, (uint64_t)kind);
        put(entry, kind == SCHEDULER_NORMAL ? SCHEDULER_NO : SCHEDULER_DIRTY_NO, i + 1);
    }
    return first;
}

static bool find(uint32_t normal, uint32_t dirty_cpu, uint32_t dirty_io, uint64_t process)
{
    const uint32_t wanted[] = {normal, dirty_cpu, dirty_io};
    const struct vm_memory memory = {
        .ranges = {{fake_address(data), fake_address(data + DATA_WORDS)}}, .range_cnt = 1};
    err = (struct error){0};
    return scheduler_table_find(&table, &memory, &reader, wanted, process, &err);
}

static void set_up(enum reader_kind kind)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, kind);
    data = fake_alloc(&vm, DATA_WORDS * 8);
    arrays[SCHEDULER_NORMAL] = make_array(SCHEDULER_NORMAL, 4);
    arrays[SCHEDULER_DIRTY_CPU] = make_array(SCHEDULER_DIRTY_CPU, 4);
    arrays[SCHEDULER_DIRTY_IO] = make_array(SCHEDULER_DIRTY_IO, 10);
    data[3] = 0x123456;
    data[4] = 8;                                                     // unreadable
    data[17] = fake_address(arrays[SCHEDULER_NORMAL] + ENTRY_BYTES); // number 2: not the first
    data[20] = fake_address(arrays[SCHEDULER_NORMAL]);
    data[40] = fake_address(arrays[SCHEDULER_DIRTY_CPU]);
    data[41] = fake_address(arrays[SCHEDULER_DIRTY_IO]);
    put(arrays[SCHEDULER_NORMAL] + 2UL * ENTRY_BYTES, SCHEDULER_CURRENT_PROCESS, 0xABC0);
}

static void tear_down(void)
{
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

static void for_each(void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        set_up(FAKE_READERS[kind]);
        part();
        tear_down();
    }
}

static void find_all(void)
{
    CHECK(find(4, 4, 10, 0xABC0));
    CHECK_UINT(table.entry_bytes, ENTRY_BYTES);
    for (int kind = 0; kind < SCHEDULER_KIND_CNT; kind++) {
        CHECK_UINT(table.arrays[kind].first, fake_address(arrays[kind]));
    }
    CHECK_UINT(scheduler_table_entry(&table, SCHEDULER_DIRTY_IO, 10),
               fake_address(arrays[SCHEDULER_DIRTY_IO] + 9UL * ENTRY_BYTES));
}

TEST(all_kinds_are_found)
{
    for_each(find_all);
}

static void find_one_scheduler(void)
{
    put(arrays[SCHEDULER_NORMAL], SCHEDULER_CURRENT_PROCESS, 0xDEF0);
    CHECK(find(1, 1, 10, 0xDEF0)); // the distance is known from the ten
    CHECK_UINT(table.entry_bytes, ENTRY_BYTES);
    CHECK_UINT(table.arrays[SCHEDULER_NORMAL].cnt, 1);
}

TEST(one_scheduler_is_enough)
{
    for_each(find_one_scheduler);
}

static void refuse(void)
{
    table = (struct scheduler_table){0};
    CHECK(!find(5, 4, 10, 0xABC0)); // the VM has four
    CHECK(strstr(err.detail, "normal schedulers were not found") != NULL);
    CHECK(!find(4, 4, 10, 0xFFF0)); // nobody runs the caller
    CHECK(strstr(err.detail, "current one of 0 schedulers") != NULL);
    put(arrays[SCHEDULER_DIRTY_CPU], SCHEDULER_CURRENT_PROCESS, 0xABC0);
    CHECK(!find(4, 4, 10, 0xABC0)); // two do
    put(arrays[SCHEDULER_DIRTY_CPU], SCHEDULER_CURRENT_PROCESS, 0);
    put(arrays[SCHEDULER_NORMAL] + 3UL * ENTRY_BYTES, SCHEDULER_NO, 5);
    CHECK(!find(4, 4, 10, 0xABC0));   // a gap in the numbers
    CHECK_UINT(table.entry_bytes, 0); // untouched by failures
}

TEST(what_does_not_fit_is_refused)
{
    for_each(refuse);
}

// SPDX-License-Identifier: Apache-2.0
// Finding the schedulers' data by structure, among lookalikes.
#include "capture/beam/scheduler_table.h"

#include "child_process.h"
#include "fake_vm.h"

enum { ENTRY_BYTES = 41728, DATA_WORDS = 256 };
#define CODE 0x7F5500000000ULL

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
    uint64_t shared_queue = fake_address(fake_alloc(&vm, 64));
    for (uint32_t i = 0; i < cnt; i++) {
        unsigned char *entry = first + (size_t)i * ENTRY_BYTES;
        bool is_normal = kind == SCHEDULER_NORMAL;
        uint64_t *c_stack = fake_alloc(&vm, 64);
        uint64_t *sleep_info = fake_alloc(&vm, 64);
        c_stack[7] = CODE + i;
        sleep_info[SLEEP_INFO_SCHEDULER / 8] = fake_address(entry);
        sleep_info[SLEEP_INFO_FLAGS / 8] = SLEEP_FLAG_WAITING | 4;
        put(entry, SCHEDULER_REGISTERS, fake_address(c_stack + 8));
        put(entry, SCHEDULER_SLEEP_INFO, fake_address(sleep_info));
        put(entry, SCHEDULER_TYPE, (uint64_t)kind);
        put(entry, is_normal ? SCHEDULER_NO : SCHEDULER_DIRTY_NO, i + 1);
        put(entry, SCHEDULER_RUN_QUEUE,
            is_normal ? fake_address(fake_alloc(&vm, 64)) : shared_queue);
    }
    return first;
}

static void set_flags(enum scheduler_kind kind, uint32_t no, uint64_t flags)
{
    uint64_t sleep_info;
    memcpy(&sleep_info, arrays[kind] + (no - 1UL) * ENTRY_BYTES + SCHEDULER_SLEEP_INFO, 8);
    fake_poke((void *)(uintptr_t)(sleep_info + SLEEP_INFO_FLAGS), flags, 8);
}

static bool is_code(const void *context, uint64_t address)
{
    CHECK(context == &vm);
    return address >= CODE && address < CODE + 4096;
}

static bool find_with(const struct scheduler_layout *layout, const uint32_t wanted[3],
                      uint64_t process)
{
    const struct vm_memory memory = {
        .ranges = {{fake_address(data), fake_address(data + DATA_WORDS)}}, .range_cnt = 1};
    struct scheduler_search search = {.memory = &memory,
                                      .reader = &reader,
                                      .layout = layout,
                                      .process = process,
                                      .is_code = is_code,
                                      .is_code_context = &vm};
    memcpy(search.wanted, wanted, sizeof search.wanted);
    err = (struct error){0};
    return scheduler_table_find(&table, &search, &err);
}

static bool find(uint32_t normal, uint32_t dirty_cpu, uint32_t dirty_io, uint64_t process)
{
    const uint32_t wanted[] = {normal, dirty_cpu, dirty_io};
    return find_with(&SCHEDULER_LAYOUT, wanted, process);
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
    set_flags(SCHEDULER_NORMAL, 3, 0);
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
    set_flags(SCHEDULER_NORMAL, 1, 0);
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

// Every offset, moved: contradicts something.
static void move_each(void)
{
    static const int32_t BY[] = {8, -8, 4, -4, 16};
    const uint32_t wanted[] = {4, 4, 10};
    for (int field = 0; field < SCHEDULER_FIELD_CNT; field++) {
        for (size_t i = 0; i < sizeof BY / sizeof BY[0]; i++) {
            struct scheduler_layout layout = SCHEDULER_LAYOUT;
            int32_t moved = (int32_t)layout.offset[field] + BY[i];
            if (moved >= 0) {
                layout.offset[field] = (uint32_t)moved;
                if (find_with(&layout, wanted, 0xABC0)) {
                    TEST_FAIL("%s at %d was believed",
                              scheduler_field_name((enum scheduler_field)field), moved);
                }
                CHECK(strncmp(err.detail, "scheduler data: ", 16) == 0);
            }
        }
    }
    CHECK(find_with(&SCHEDULER_LAYOUT, wanted, 0xABC0));
}

TEST(any_offset_moved_is_refused)
{
    for_each(move_each);
}

static void contradict(void)
{
    unsigned char *ours = arrays[SCHEDULER_NORMAL] + 2UL * ENTRY_BYTES;
    put(ours, SCHEDULER_CURRENT_PORT, 0x1000); // a port and a process at once
    CHECK(!find(4, 4, 10, 0xABC0));
    CHECK(strstr(err.detail, "has a port") != NULL);
    put(ours, SCHEDULER_CURRENT_PORT, 0);
    set_flags(SCHEDULER_NORMAL, 3, SLEEP_FLAG_WAITING); // runs us, and waits
    CHECK(!find(4, 4, 10, 0xABC0));
    set_flags(SCHEDULER_NORMAL, 3, 0);
    set_flags(SCHEDULER_DIRTY_IO, 7, 0x12340); // no flags
    CHECK(!find(4, 4, 10, 0xABC0));
    CHECK(strstr(err.detail, "sleep data") != NULL);
    set_flags(SCHEDULER_DIRTY_IO, 7, 0);
    CHECK(find(4, 4, 10, 0xABC0));
}

TEST(what_cannot_be_at_once_is_refused)
{
    for_each(contradict);
}

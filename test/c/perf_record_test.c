// SPDX-License-Identifier: Apache-2.0
// Samples as the kernel writes them into a perf ring, whole and cut.
#include "capture/system/perf_record.h"

#include "test.h"

#include <string.h>

static uint64_t words[64];
static size_t word_cnt;

static void add(uint64_t word)
{
    words[word_cnt++] = word;
}

static void finish(void)
{
    const struct perf_event_header header = {PERF_RECORD_SAMPLE, 0, (uint16_t)(8 * word_cnt)};
    memcpy(words, &header, sizeof header);
}

static unsigned register_cnt(void)
{
    return (unsigned)__builtin_popcountll(perf_record_register_mask());
}

// Process 7, thread 8, time 9, CPU 1, then two kernel addresses.
static void begin(void)
{
    word_cnt = 1;
    add(7 | 8ULL << 32);
    add(9);
    add(1);
    add(4);
    add((uint64_t)PERF_CONTEXT_KERNEL);
    add(0xffffffff81000001);
    add(0xffffffff81000002);
    add((uint64_t)PERF_CONTEXT_USER);
}

static void add_user(uint64_t used)
{
    add(PERF_RECORD_ABI_64);
    for (unsigned i = 0; i < register_cnt(); i++) {
        add(100 + i);
    }
    add(16);
    add(0xaaaa);
    add(0xbbbb);
    add(used);
}

static bool parse(struct perf_record *record)
{
    return perf_record_parse(words, 8 * word_cnt, true, record);
}

TEST(a_sample_has_ids_kernel_stack_registers_and_stack)
{
    struct perf_record record;
    begin();
    add_user(16);
    finish();
    CHECK(parse(&record));
    CHECK_UINT(record.pid, 7);
    CHECK_UINT(record.tid, 8);
    CHECK_UINT(record.time_ns, 9);
    CHECK_UINT(record.cpu, 1);
    CHECK_UINT(record.kernel_cnt, 2);
    CHECK_UINT(record.kernel[1], 0xffffffff81000002);
    CHECK_INT(record.abi, PERF_RECORD_ABI_64);
    CHECK(record.registers.fp >= 100 && record.registers.sp >= 100 && record.registers.pc >= 100);
    CHECK_UINT(record.stack_bytes, 16);
    CHECK_UINT(record.stack[1], 0xbbbb);
}

TEST(only_what_was_there_of_the_stack_counts)
{
    struct perf_record record;
    begin();
    add_user(12);
    finish();
    CHECK(parse(&record));
    CHECK_UINT(record.stack_bytes, 8);
}

TEST(a_thread_of_the_kernel_has_no_user_part)
{
    struct perf_record record;
    begin();
    add(PERF_RECORD_ABI_NONE);
    add(0);
    finish();
    CHECK(parse(&record));
    CHECK_INT(record.abi, PERF_RECORD_ABI_NONE);
    CHECK_UINT(record.stack_bytes, 0);
}

TEST(what_is_cut_anywhere_is_refused)
{
    struct perf_record record;
    begin();
    add_user(16);
    for (size_t whole = word_cnt; word_cnt > 0; word_cnt--) {
        finish();
        CHECK(parse(&record) == (word_cnt == whole));
    }
}

TEST(counts_that_lie_are_refused)
{
    struct perf_record record;
    begin();
    add_user(17); // more than there is room
    finish();
    CHECK(!parse(&record));
    begin();
    add_user(16);
    words[4] = UINT64_MAX; // addresses
    finish();
    CHECK(!parse(&record));
    begin();
    add(9); // no such kind of registers
    finish();
    CHECK(!parse(&record));
}

TEST(the_time_of_what_is_no_sample_stands_at_its_end)
{
    const struct perf_event_header sample = {PERF_RECORD_SAMPLE, 0, 400};
    const struct perf_event_header exit = {PERF_RECORD_EXIT, 0, 56};
    const struct perf_event_header cut = {PERF_RECORD_EXIT, 0, 24};
    CHECK_UINT(perf_record_time_offset(&sample), 16);
    CHECK_UINT(perf_record_time_offset(&exit), 40);
    CHECK_UINT(perf_record_time_offset(&cut), 0);
}

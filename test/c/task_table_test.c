// SPDX-License-Identifier: Apache-2.0
// This process in the table, and what the kernel's records make of others.
#include "capture/system/task_table.h"

#include "test.h"

#include <linux/perf_event.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NOBODY 4194303U // an id that no machine gives away

static void named(struct task_table *table, uint32_t pid, uint32_t tid, const char *comm,
                  uint16_t misc)
{
    struct {
        struct perf_event_header header;
        uint32_t pid, tid;
        char comm[16];
    } record = {{PERF_RECORD_COMM, misc, sizeof record}, pid, tid, ""};
    (void)snprintf(record.comm, sizeof record.comm, "%s", comm);
    task_table_take(table, &record, sizeof record);
}

static void forked(struct task_table *table, uint32_t parent, uint32_t pid, uint32_t tid)
{
    struct {
        struct perf_event_header header;
        uint32_t pid, ppid, tid, ptid;
        uint64_t time;
    } record = {{PERF_RECORD_FORK, 0, sizeof record}, pid, parent, tid, parent, 0};
    task_table_take(table, &record, sizeof record);
}

TEST(a_thread_has_its_counters_from_proc)
{
    struct task_table *table = task_table_create();
    uint32_t pid = (uint32_t)getpid();
    (void)prctl(PR_SET_NAME, "a (strange) one");
    const struct task *task = task_table_thread(table, pid, pid, 1);
    CHECK_STR(task->comm, "a (strange) one");
    CHECK(task->start_ns > 0);
    CHECK(task->minor_faults > 0);
    CHECK(task->has_user);
    CHECK_UINT(task->user, getuid());
    task_table_destroy(table);
}

TEST(a_thread_that_is_gone_has_no_counters)
{
    struct task_table *table = task_table_create();
    const struct task *task = task_table_thread(table, NOBODY, NOBODY, 1);
    CHECK_STR(task->comm, "");
    CHECK_UINT(task->start_ns, 0);
    CHECK(!task->has_user);
    task_table_destroy(table);
}

TEST(another_program_is_another_number)
{
    struct task_table *table = task_table_create();
    uint64_t first = task_table_process(table, NOBODY)->program;
    CHECK(first != 0);
    CHECK_UINT(task_table_process(table, NOBODY)->program, first);
    named(table, NOBODY, NOBODY, "renamed", 0);
    CHECK_UINT(task_table_process(table, NOBODY)->program, first);
    named(table, NOBODY, NOBODY, "executed", PERF_RECORD_MISC_COMM_EXEC);
    CHECK(task_table_process(table, NOBODY)->program != first);
    CHECK_STR(task_table_process(table, NOBODY)->comm, "executed");
    task_table_destroy(table);
}

TEST(a_child_has_the_name_of_its_parent)
{
    struct task_table *table = task_table_create();
    named(table, NOBODY, NOBODY, "parent", PERF_RECORD_MISC_COMM_EXEC);
    forked(table, NOBODY, NOBODY - 1, NOBODY - 1);
    CHECK_STR(task_table_process(table, NOBODY - 1)->comm, "parent");
    CHECK(task_table_process(table, NOBODY - 1)->program !=
          task_table_process(table, NOBODY)->program);
    task_table_destroy(table);
}

TEST(those_used_last_stay)
{
    struct task_table *table = task_table_create();
    uint64_t kept = task_table_process(table, 77)->program;
    for (uint32_t i = 1; i <= 3 * TASK_TABLE_MAX_TASKS; i++) {
        (void)task_table_process(table, 77 + i);
        CHECK_UINT(task_table_process(table, 77)->program, kept);
    }
    task_table_destroy(table);
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_history.h"

#include "test.h"

#include <unistd.h>

enum { SPACE = 0x1000, SECOND = 1000000000 };

TEST(a_process_is_read_once_when_first_noted)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    uint32_t pid = (uint32_t)getpid();
    CHECK(process_history_note(history, pid, SPACE, 5, 5));
    CHECK(!process_history_note(history, pid, SPACE, 6, 6));
    const struct process *process = process_history_find(history, pid, SPACE);
    CHECK(process != NULL);
    CHECK(process->maps.cnt > 0);
    CHECK_UINT(process->read_ns, 5);
    CHECK_UINT(process_history_count(history), 1);
    CHECK_UINT(process_history_unread(history), 0);
    process_history_destroy(history);
}

TEST(an_exec_is_another_process)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    uint32_t pid = (uint32_t)getpid();
    CHECK(process_history_note(history, pid, SPACE, 5, 5));
    CHECK(process_history_note(history, pid, SPACE + 64, 6, 6));
    CHECK_UINT(process_history_count(history), 2);
    CHECK(process_history_find(history, pid, SPACE) !=
          process_history_find(history, pid, SPACE + 64));
    process_history_destroy(history);
}

TEST(kernel_threads_are_not_kept)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    CHECK(!process_history_note(history, 2, 0, 5, 5));
    CHECK_UINT(process_history_count(history), 0);
    process_history_destroy(history);
}

TEST(a_process_that_is_gone_is_counted)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    CHECK(process_history_note(history, 0x7ffffff0, SPACE, 5, 5));
    CHECK_UINT(process_history_unread(history), 1);
    CHECK(process_history_find(history, 0x7ffffff0, SPACE) != NULL);
    process_history_destroy(history);
}

static bool recall_one(void *context, uint32_t pid, uint64_t time_ns, bool is_gone,
                       struct process_maps *maps)
{
    (void)pid;
    const uint64_t *exec_ns = context;
    if (time_ns >= *exec_ns && !is_gone) {
        return false;
    }
    process_maps_add_line(maps, "1000-2000 r-xp 00000000 08:01 7 /bin/before");
    return true;
}

TEST(a_sample_from_before_an_exec_has_the_mappings_of_then)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    uint32_t pid = (uint32_t)getpid();
    uint64_t exec_ns = 100;
    process_history_set_source(history, recall_one, &exec_ns);
    CHECK(process_history_note(history, pid, SPACE, 99, 200));
    CHECK_UINT(process_history_find(history, pid, SPACE)->maps.cnt, 1);
    CHECK(process_history_note(history, pid, SPACE + 1, 100, 200));
    CHECK(process_history_find(history, pid, SPACE + 1)->maps.cnt > 1);
    CHECK(process_history_note(history, 0x7ffffff0, SPACE, 150, 200)); // gone
    CHECK_UINT(process_history_find(history, 0x7ffffff0, SPACE)->maps.cnt, 1);
    CHECK_UINT(process_history_unread(history), 0);
    process_history_destroy(history);
}

TEST(a_refresh_is_not_done_too_often)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    uint32_t pid = (uint32_t)getpid();
    CHECK(process_history_note(history, pid, SPACE, SECOND, SECOND));
    struct process *process = process_history_find(history, pid, SPACE);
    process_history_refresh(history, process, SECOND + 1000);
    CHECK_UINT(process->read_ns, SECOND);
    int cnt = 0;
    for (uint64_t now_ns = SECOND; now_ns < 101ULL * SECOND; now_ns += SECOND / 1000) {
        uint64_t before_ns = process->read_ns;
        process_history_refresh(history, process, now_ns);
        cnt += process->read_ns == before_ns ? 0 : 1;
    }
    CHECK(cnt > 15 && cnt < 35); // 1, 2, 4 ... ms apart, then 10 s
    process_history_destroy(history);
}

TEST(the_least_recently_used_go_first)
{
    struct process_history *history = process_history_create(1, 4096); // room for one
    uint32_t pid = (uint32_t)getpid();
    CHECK(process_history_note(history, pid, SPACE, 5, 5));
    CHECK(process_history_note(history, pid, SPACE + 1, 6, 6));
    CHECK_UINT(process_history_count(history), 1);
    CHECK(process_history_find(history, pid, SPACE) == NULL);
    CHECK(process_history_find(history, pid, SPACE + 1) != NULL);
    process_history_destroy(history);
}

TEST(the_count_is_bounded)
{
    struct process_history *history = process_history_create(1 << 20, 4096);
    for (uint64_t i = 0; i < 4096 + 10; i++) {
        CHECK(process_history_note(history, 0x7ffffff0, SPACE + i, 5, 5));
    }
    CHECK_UINT(process_history_count(history), 4096);
    CHECK(process_history_find(history, 0x7ffffff0, SPACE) == NULL);
    process_history_destroy(history);
    process_history_destroy(NULL);
}

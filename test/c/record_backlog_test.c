// SPDX-License-Identifier: Apache-2.0
#include "capture/system/record_backlog.h"

#include "test.h"

static struct record_backlog backlog;
static uint32_t record[1000];

static bool put(uint32_t number)
{
    size_t words = 1 + number % 999;
    record[0] = number;
    record[words - 1] = number;
    return record_backlog_put(&backlog, record, words * sizeof record[0]);
}

static bool next_is(uint32_t number)
{
    size_t size = 0;
    size_t words = 1 + number % 999;
    const uint32_t *next = record_backlog_next(&backlog, &size);
    return next != NULL && size == words * sizeof *next && next[0] == number &&
           next[words - 1] == number;
}

TEST(first_in_first_out)
{
    for (uint32_t i = 0; i < 5000; i++) {
        CHECK(put(i));
    }
    CHECK(backlog.bytes > 1 << 20);
    for (uint32_t i = 0; i < 5000; i++) {
        CHECK(next_is(i));
    }
    CHECK(record_backlog_next(&backlog, &(size_t){0}) == NULL);
    CHECK_UINT(backlog.bytes, 0);
    record_backlog_deinit(&backlog);
}

TEST(more_may_come_while_one_is_looked_at)
{
    size_t size = 0;
    CHECK(put(7));
    const uint32_t *first = record_backlog_next(&backlog, &size);
    for (uint32_t i = 0; i < 5000; i++) {
        CHECK(put(i));
    }
    CHECK_UINT(first[0], 7);
    for (uint32_t i = 0; i < 5000; i++) {
        CHECK(next_is(i));
    }
    CHECK(record_backlog_next(&backlog, &size) == NULL);
    CHECK(put(9));
    CHECK(next_is(9));
    record_backlog_deinit(&backlog);
    record_backlog_deinit(&backlog);
}

TEST(what_no_record_is_is_refused)
{
    static unsigned char large[1 << 20];
    CHECK(!record_backlog_put(&backlog, large, sizeof large));
    CHECK(record_backlog_next(&backlog, &(size_t){0}) == NULL);
    record_backlog_deinit(&backlog);
}

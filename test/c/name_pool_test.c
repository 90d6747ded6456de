// SPDX-License-Identifier: Apache-2.0
// Names are found where they were put, up to the limit.
#include "symbols/system/name_pool.h"

#include "test.h"

static struct name_pool pool;

TEST(names_are_found_where_they_were_put)
{
    uint32_t first = name_pool_add(&pool, TEXT("main"), 1000);
    uint32_t empty = name_pool_add(&pool, TEXT(""), 1000);
    uint32_t last = name_pool_add(&pool, (struct text){"helper.c:12", 8}, 1000);
    CHECK(text_equal(name_pool_text(&pool, first), TEXT("main")));
    CHECK(text_equal(name_pool_text(&pool, empty), TEXT("")));
    CHECK(text_equal(name_pool_text(&pool, last), TEXT("helper.c")));
    name_pool_deinit(&pool);
    CHECK(pool.bytes == NULL && pool.len == 0);
}

TEST(beyond_the_limit_nothing_changes)
{
    uint32_t cnt = 0;
    while (name_pool_add(&pool, TEXT("123456789"), 100) != NAME_POOL_NONE) {
        cnt++;
    }
    CHECK_UINT(cnt, 10);
    CHECK_UINT(pool.len, 100);
    CHECK(name_pool_add(&pool, TEXT(""), 100) == NAME_POOL_NONE);
    CHECK(text_equal(name_pool_text(&pool, 90), TEXT("123456789")));
    name_pool_deinit(&pool);
}

// SPDX-License-Identifier: Apache-2.0
// What was not read of a process now is what was read of it before.
#include "record/beam/identity_cache.h"

#include "test.h"

static struct identity_cache *cache;
static uint64_t now_ns = 1000;

static struct dictionary_identity seen(uint64_t id, enum identity_read read, uint64_t initial,
                                       uint64_t label)
{
    struct dictionary_identity identity = {0};
    identity.initial[0] = initial;
    identity.label_cnt = label != 0;
    identity.label[0] = label;
    identity_cache_complete(cache, id, read, now_ns, &identity);
    return identity;
}

TEST(what_was_read_before_is_filled_in)
{
    cache = identity_cache_create();
    CHECK_UINT(seen(3, IDENTITY_NOT_READ, 0, 0).initial[0], 0); // never read
    CHECK_UINT(seen(3, IDENTITY_READ, 7, 8).initial[0], 7);
    CHECK_UINT(seen(3, IDENTITY_NOT_READ, 0, 0).label[0], 8);
    CHECK_UINT(seen(3, IDENTITY_READ_IN_PART, 0, 9).initial[0], 7);
    CHECK_UINT(seen(3, IDENTITY_NOT_READ, 0, 0).label[0], 9);
    CHECK_UINT(seen(3, IDENTITY_READ, 7, 0).label_cnt, 0); // taken back
    CHECK_UINT(seen(3, IDENTITY_NOT_READ, 0, 0).label_cnt, 0);
    CHECK_UINT(seen(4, IDENTITY_NOT_READ, 0, 0).initial[0], 0); // somebody else
    identity_cache_destroy(cache);
    identity_cache_destroy(NULL);
}

TEST(what_was_read_a_second_ago_is_old)
{
    cache = identity_cache_create();
    CHECK(identity_cache_is_old(cache, 3, now_ns)); // never read
    (void)seen(3, IDENTITY_READ_IN_PART, 7, 0);
    CHECK(identity_cache_is_old(cache, 3, now_ns));
    (void)seen(3, IDENTITY_READ, 7, 0);
    CHECK(!identity_cache_is_old(cache, 3, now_ns));
    CHECK(identity_cache_is_old(cache, 4, now_ns));
    now_ns += 1000 * 1000 * 1000;
    CHECK(!identity_cache_is_old(cache, 3, now_ns));
    (void)seen(3, IDENTITY_NOT_READ, 0, 0);
    now_ns++;
    CHECK(identity_cache_is_old(cache, 3, now_ns));
    identity_cache_destroy(cache);
}

TEST(those_seen_lately_are_remembered_among_many)
{
    cache = identity_cache_create();
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t id = 1; id <= 200; id++) { // seen all the time
            enum identity_read read = round == 0 ? IDENTITY_READ : IDENTITY_NOT_READ;
            CHECK_UINT(seen(id, read, round == 0 ? 1000 + id : 0, 0).initial[0], 1000 + id);
        }
        for (uint64_t id = 1; id <= 300; id++) { // once
            (void)seen(10000 + 300 * round + id, IDENTITY_READ, 5, 0);
        }
    }
    identity_cache_destroy(cache);
}

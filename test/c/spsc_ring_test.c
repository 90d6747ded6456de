// SPDX-License-Identifier: Apache-2.0
// Records come out as they went in: in order, whole, none invented.
#include "base/spsc_ring.h"

#include "base/clock.h"
#include "test.h"

#include <pthread.h>

static struct spsc_ring ring;

static void open_ring(size_t bytes)
{
    CHECK(spsc_ring_init(&ring, bytes));
}

static bool push(uint32_t len, unsigned char fill)
{
    void *place = spsc_ring_reserve(&ring, len);
    if (place == NULL) {
        return false;
    }
    memset(place, fill, len);
    spsc_ring_commit(&ring, len);
    return true;
}

static bool pop(uint32_t len, unsigned char fill)
{
    uint32_t got_len = 0;
    const unsigned char *record = spsc_ring_peek(&ring, &got_len);
    bool same = record != NULL && got_len == len;
    for (uint32_t i = 0; same && i < len; i++) {
        same = record[i] == fill;
    }
    if (record != NULL) {
        spsc_ring_pop(&ring);
    }
    return same;
}

static bool is_empty(void)
{
    uint32_t len;
    return spsc_ring_peek(&ring, &len) == NULL;
}

TEST(a_new_ring_is_empty)
{
    open_ring(1);
    CHECK(ring.size >= 4096 && (ring.size & (ring.size - 1)) == 0);
    CHECK(is_empty());
    CHECK_UINT(spsc_ring_used_bytes(&ring), 0);
    spsc_ring_deinit(&ring);
    spsc_ring_deinit(&ring);
    open_ring(5000);
    CHECK_UINT(ring.size, 8192);
    spsc_ring_deinit(&ring);
}

TEST(records_come_out_in_order)
{
    open_ring(4096);
    CHECK(push(1, 1) && push(8, 2) && push(9, 3));
    CHECK(pop(1, 1));
    CHECK(push(100, 4));
    CHECK(pop(8, 2) && pop(9, 3) && pop(100, 4));
    CHECK(is_empty());
    CHECK_UINT(spsc_ring_used_bytes(&ring), 0);
    spsc_ring_deinit(&ring);
}

TEST(places_are_aligned_and_may_be_cut)
{
    open_ring(4096);
    for (uint32_t i = 1; i < 200; i++) {
        unsigned char *place = spsc_ring_reserve(&ring, 256);
        CHECK(place != NULL);
        CHECK_UINT((uintptr_t)place % 8, 0);
        memset(place, (int)i, i);
        spsc_ring_commit(&ring, i);
        CHECK(pop(i, (unsigned char)i));
    }
    spsc_ring_deinit(&ring);
}

TEST(an_abandoned_reservation_leaves_no_record)
{
    open_ring(4096);
    for (int i = 0; i < 100; i++) {
        CHECK(spsc_ring_reserve(&ring, 1000) != NULL);
    }
    CHECK(is_empty());
    CHECK(push(10, 1) && pop(10, 1) && is_empty());
    spsc_ring_deinit(&ring);
}

TEST(a_full_ring_refuses_until_something_is_taken)
{
    open_ring(4096);
    unsigned cnt = 0;
    while (push(56, (unsigned char)cnt)) {
        cnt++;
    }
    CHECK_UINT(cnt, 64); // 8 bytes of header each: not a byte is wasted
    CHECK_UINT(spsc_ring_used_bytes(&ring), 4096);
    CHECK(!push(1, 0));
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(pop(56, (unsigned char)i));
        CHECK(push(56, (unsigned char)(i + 64)));
        CHECK(!push(1, 0));
    }
    spsc_ring_deinit(&ring);
}

TEST(what_is_larger_than_the_ring_is_refused)
{
    open_ring(4096);
    CHECK(spsc_ring_reserve(&ring, 4088) != NULL);
    CHECK(spsc_ring_reserve(&ring, 4089) == NULL);
    CHECK(spsc_ring_reserve(&ring, UINT32_MAX) == NULL);
    CHECK(push(5, 5) && pop(5, 5));
    spsc_ring_deinit(&ring);
}

// Wherever the ring stands: a record of any size that it can hold gets through
// once the consumer has caught up.
TEST(an_empty_ring_never_stays_shut)
{
    for (uint32_t large = 8; large <= 4088; large += 24) {
        for (uint32_t before = 8; before <= 4088; before += 40) {
            open_ring(4096);
            CHECK(push(before, 1) && pop(before, 1));
            int tries = 0;
            while (!push(large, 2)) {
                CHECK(is_empty()); // the consumer takes what is there
                if (++tries == 3) {
                    spsc_ring_deinit(&ring);
                    TEST_FAIL("a record of %u after one of %u: refused by an empty ring", large,
                              before);
                }
            }
            CHECK(pop(large, 2) && is_empty());
            spsc_ring_deinit(&ring);
        }
    }
}

// Against a plain queue of lengths.
TEST(any_sequence_of_lengths_gets_through)
{
    enum { QUEUE = 1024 };
    static uint32_t lengths[QUEUE];
    uint64_t in = 0;
    uint64_t from = 0;
    uint64_t random = 42;
    uint64_t refused = 0;
    open_ring(8192);
    for (int i = 0; i < 300000; i++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t len = 1 + (uint32_t)(random >> 40) % (i % 3 == 0 ? 3000 : 100);
        if ((random >> 33 & 3) != 0 && in - from < QUEUE) {
            bool fits = push(len, (unsigned char)in);
            refused += !fits;
            if (fits) {
                lengths[in++ % QUEUE] = len;
            }
        } else if (from < in) {
            CHECK(pop(lengths[from % QUEUE], (unsigned char)from));
            from++;
        } else {
            CHECK(is_empty());
        }
        CHECK(spsc_ring_used_bytes(&ring) <= ring.size);
    }
    for (; from < in; from++) {
        CHECK(pop(lengths[from % QUEUE], (unsigned char)from));
    }
    CHECK(is_empty());
    CHECK(refused > 0);
    spsc_ring_deinit(&ring);
}

// ---- two threads ---------------------------------------------------------------------

enum { RECORDS = 500000 };

struct record {
    uint64_t number;
    uint64_t checksum;
    unsigned char bytes[];
};

static uint64_t checksum_of(uint64_t number, const unsigned char *bytes, uint32_t len)
{
    uint64_t hash = 1469598103934665603ULL ^ number;
    for (uint32_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    }
    return hash;
}

static void *produce(void *context)
{
    uint64_t *refused = context;
    uint64_t random = 7;
    for (uint64_t number = 0; number < RECORDS;) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t max_len = (uint32_t)(random >> 33) % 200;
        uint32_t len = max_len - (uint32_t)(random >> 50) % (max_len + 1);
        struct record *record = spsc_ring_reserve(&ring, (uint32_t)sizeof *record + max_len);
        if (record == NULL) {
            (*refused)++;
            sched_yield();
            continue;
        }
        for (uint32_t i = 0; i < len; i++) {
            record->bytes[i] = (unsigned char)(random >> (i % 56));
        }
        record->number = number;
        record->checksum = checksum_of(number, record->bytes, len);
        spsc_ring_commit(&ring, (uint32_t)sizeof *record + len);
        number++;
    }
    return NULL;
}

TEST(two_threads_pass_every_record_whole)
{
    static uint64_t refused;
    pthread_t producer;
    open_ring(16384);
    CHECK(pthread_create(&producer, NULL, produce, &refused) == 0);
    uint64_t deadline_ns = clock_monotonic_ns() + 300ULL * CLOCK_NS_PER_S;
    uint64_t wrong = 0;
    uint64_t next = 0;
    while (next < RECORDS) {
        uint32_t len = 0;
        const struct record *record = spsc_ring_peek(&ring, &len);
        if (record == NULL) {
            if (clock_monotonic_ns() > deadline_ns) {
                break;
            }
            sched_yield();
            continue;
        }
        uint32_t bytes = len - (uint32_t)sizeof *record;
        wrong += len < sizeof *record || record->number != next ||
                 record->checksum != checksum_of(next, record->bytes, bytes);
        spsc_ring_pop(&ring);
        next++;
        wrong += spsc_ring_used_bytes(&ring) > ring.size;
    }
    pthread_join(producer, NULL);
    bool empty = is_empty();
    spsc_ring_deinit(&ring);
    CHECK_UINT(wrong, 0);
    CHECK_UINT(next, RECORDS);
    CHECK(empty);
}

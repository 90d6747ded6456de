// SPDX-License-Identifier: Apache-2.0
// A file in memory in place of the map: the kernel's side is played here.
#include "capture/system/sample_ring.h"

#include "test.h"

#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, RING_BYTES = 4096 };

static struct sample_ring ring;
static unsigned char *kernel; // all of the file
static uint64_t produced;
static char seen[1024];
static size_t seen_bytes;

static void note(void *context, const void *record, size_t size)
{
    (void)context;
    seen_bytes += size;
    (void)snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%zu:%.4s ", size,
                   size < 4 ? "-" : (const char *)record);
}

// What sample_ring_open() does but for epoll, which takes no such file.
static void begin(void)
{
    static unsigned char whole[SAMPLE_RING_MAX_RECORD_BYTES];
    int fd = memfd_create("ring", 0);
    CHECK(ftruncate(fd, 2 * PAGE + RING_BYTES) == 0);
    kernel = mmap(NULL, 2 * PAGE + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(kernel != MAP_FAILED);
    (void)close(fd);
    ring = (struct sample_ring){
        .consumed = (uint64_t *)kernel,
        .produced = (uint64_t *)(kernel + PAGE),
        .data = kernel + 2 * PAGE,
        .bytes = RING_BYTES,
        .whole = whole,
    };
    produced = 0;
}

static void end(void)
{
    (void)munmap(kernel, 2 * PAGE + RING_BYTES);
}

static void put(char fill, uint32_t size, uint32_t bits)
{
    unsigned char *data = kernel + 2 * PAGE;
    uint32_t head[2] = {size | bits, 0};
    memcpy(data + produced % RING_BYTES, head, sizeof head);
    for (uint32_t i = 0; i < size; i++) {
        data[(produced + sizeof head + i) % RING_BYTES] = (unsigned char)fill;
    }
    produced += (sizeof head + size + 7) & ~7ULL;
    memcpy(kernel + PAGE, &produced, sizeof produced);
}

static const char *drain(void)
{
    seen[0] = '\0';
    seen_bytes = 0;
    CHECK(!sample_ring_drain(&ring, UINT64_MAX, note, NULL));
    return seen;
}

TEST(records_come_in_order_and_once)
{
    begin();
    put('a', 20, 0);
    put('b', 4, 0);
    CHECK_STR(drain(), "20:aaaa 4:bbbb ");
    CHECK_STR(drain(), "");
    CHECK_UINT(*ring.consumed, produced);
    end();
}

TEST(a_piece_is_up_to_the_record_that_fills_it)
{
    begin();
    put('a', 20, 0); // 32 with its head
    put('b', 4, 0);
    put('c', 4, 0);
    seen[0] = '\0';
    CHECK(sample_ring_drain(&ring, 33, note, NULL));
    CHECK_STR(seen, "20:aaaa 4:bbbb ");
    CHECK(!sample_ring_drain(&ring, 33, note, NULL));
    CHECK_STR(seen, "20:aaaa 4:bbbb 4:cccc ");
    end();
}

TEST(a_record_over_the_end_is_in_one_piece)
{
    begin();
    for (uint32_t i = 0; i < 100; i++) {
        put((char)('a' + i % 26), 1000, 0);
        CHECK(drain()[5] == (char)('a' + i % 26));
        CHECK_UINT(seen_bytes, 1000);
    }
    end();
}

TEST(one_that_was_given_up_is_skipped)
{
    begin();
    put('a', 8, BPF_RINGBUF_DISCARD_BIT);
    put('b', 8, 0);
    CHECK_STR(drain(), "8:bbbb ");
    end();
}

TEST(one_that_is_being_written_waits_and_all_behind_it)
{
    begin();
    put('a', 8, 0);
    put('b', 8, BPF_RINGBUF_BUSY_BIT);
    put('c', 8, 0);
    CHECK_STR(drain(), "8:aaaa ");
    uint32_t size = 8;
    memcpy(kernel + 2 * PAGE + 16, &size, sizeof size);
    CHECK_STR(drain(), "8:bbbb 8:cccc ");
    end();
}

TEST(no_map_is_an_error)
{
    CHECK(!sample_ring_open(&ring, -1, RING_BYTES));
    sample_ring_close(&ring);
    sample_ring_close(&ring);
}

// SPDX-License-Identifier: Apache-2.0
// The process table is found by what it holds, when exactly one place fits.
#include "capture/beam/process_table.h"

#include "child_process.h"
#include "fake_vm.h"

enum { KNOWN = 4, STATIC_WORDS = 20000 };

struct world {
    struct fake_vm vm;
    struct memory_reader reader;
    uint64_t *statics; // stands for the emulator's .data and .bss
    struct vm_memory memory;
    struct known_process known[KNOWN];
    uint64_t table_address;
};

static void make_world(struct world *world, const char *release, enum reader_kind kind)
{
    fake_vm_init(&world->vm, release, 1024);
    fake_open_reader(&world->reader, kind);
    world->statics = fake_alloc(&world->vm, STATIC_WORDS * 8);
    uint64_t middle = fake_address(world->statics + 7000);
    world->memory = (struct vm_memory){
        .ranges = {{fake_address(world->statics), middle},
                   {middle, fake_address(world->statics + STATIC_WORDS)}},
        .range_cnt = 2,
    };
    for (uint64_t i = 0; i < KNOWN; i++) {
        struct fake_process process = fake_spawn(&world->vm, 3 + i * 200, i, 100, 2);
        world->known[i] = (struct known_process){process.id, fake_address(process.bytes)};
    }
    uint64_t random = 1;
    for (int i = 0; i < STATIC_WORDS; i++) { // what else is in there
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t pointer = fake_address(world->vm.arena) + (random >> 33) % FAKE_ARENA_BYTES;
        world->statics[i] = i % 3 == 0 ? random : i % 3 == 1 ? pointer & ~7ULL : random >> 40;
    }
    world->table_address = world->vm.layout.table_address;
    world->vm.layout.table_address = 0;
}

static void drop_world(struct world *world)
{
    memory_reader_close(&world->reader);
    fake_vm_deinit(&world->vm);
}

static bool find(struct world *world, size_t known_cnt, struct error *err)
{
    return process_table_find(&world->vm.layout, &world->memory, &world->reader, world->known,
                              known_cnt, err);
}

static void for_each(void (*part)(struct world *world))
{
    static const char *const RELEASES[] = {"25", "27"};
    for (int release = 0; release < 2; release++) {
        for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
            struct world world;
            make_world(&world, RELEASES[release], FAKE_READERS[kind]);
            part(&world);
            drop_world(&world);
        }
    }
}

static void find_the_one(struct world *world)
{
    static const size_t PLACES[] = {0, 6999, 7000, STATIC_WORDS - 1, 511, 512};
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        uint64_t was = world->statics[PLACES[i]];
        world->statics[PLACES[i]] = world->table_address;
        world->vm.layout.table_address = 0;
        CHECK(find(world, KNOWN, NULL));
        CHECK_UINT(world->vm.layout.table_address, world->table_address);
        world->statics[PLACES[i]] = was;
    }
}

TEST(the_one_table_is_found)
{
    for_each(find_the_one);
}

static void find_twice_the_same(struct world *world)
{
    world->statics[10] = world->table_address;
    world->statics[9000] = world->table_address; // a copy of the pointer
    CHECK(find(world, KNOWN, NULL));
    CHECK_UINT(world->vm.layout.table_address, world->table_address);
}

TEST(two_pointers_to_one_table_are_one)
{
    for_each(find_twice_the_same);
}

static void find_two(struct world *world)
{
    struct error err = {0};
    uint64_t *second = fake_alloc(&world->vm, 1024 * 8);
    memcpy(second, world->vm.table, 1024 * 8);
    world->statics[10] = world->table_address;
    world->statics[9000] = fake_address(second);
    CHECK(!find(world, KNOWN, &err));
    CHECK_INT(err.code, ERROR_LAYOUT);
    CHECK_HAS(err.detail, "2 places");
    CHECK_UINT(world->vm.layout.table_address, 0);
    second[3] = 8; // not it after all
    CHECK(find(world, KNOWN, NULL));
    CHECK_UINT(world->vm.layout.table_address, world->table_address);
}

TEST(two_tables_are_ambiguous)
{
    for_each(find_two);
}

static void find_none(struct world *world)
{
    struct error err = {0};
    CHECK(!find(world, KNOWN, &err));
    CHECK_INT(err.code, ERROR_LAYOUT);
    CHECK_HAS(err.detail, "0 places");
    world->statics[10] = world->table_address;
    world->known[KNOWN - 1].address += 8; // one of them is elsewhere
    CHECK(!find(world, KNOWN, NULL));
    CHECK(find(world, KNOWN - 1, NULL));
    world->statics[10] = world->table_address + 4;
    CHECK(!find(world, KNOWN - 1, NULL));
}

TEST(no_table_is_an_error)
{
    for_each(find_none);
}

static void know_too_little(struct world *world)
{
    struct error err = {0};
    world->statics[10] = world->table_address;
    CHECK(!find(world, 1, &err));
    CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
    CHECK(!find(world, 0, &err));
    CHECK(find(world, 2, &err));
}

TEST(one_known_process_is_not_enough)
{
    for_each(know_too_little);
}

static void know_a_pid_outside(struct world *world)
{
    world->statics[10] = world->table_address;
    world->known[0].id = 1ULL << 60 | 3;
    CHECK(!find(world, KNOWN, NULL) || world->vm.layout.pid_encoding == PID_SLOT_IN_LOW_BITS);
}

TEST(a_known_pid_outside_the_table_fits_nowhere)
{
    for_each(know_a_pid_outside);
}

static void search_past_holes(struct world *world)
{
    unsigned char *pages =
        mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)pages != MAP_FAILED);
    memcpy(pages + 3 * 4096 + 80, &world->table_address, 8);
    CHECK(mprotect(pages + 4096, 4096, PROT_NONE) == 0);
    world->memory.ranges[1] =
        (struct vm_range){fake_address(pages), fake_address(pages) + 4 * 4096};
    CHECK(find(world, KNOWN, NULL));
    munmap(pages, 4 * 4096);
}

TEST(holes_in_the_static_data_are_skipped)
{
    for_each(search_past_holes);
}

// ---- the emulator's static data -----------------------------------------------------

static uint64_t initialised = 0x1122334455667788;
static uint64_t zeroed[100000];

TEST(our_own_static_data_is_found)
{
    static int on_stack_is_not;
    struct vm_memory memory;
    struct error err = {0};
    int local = on_stack_is_not;
    if (!vm_memory_open(&memory, &err)) {
        TEST_FAIL("%s", err.detail);
    }
    CHECK(vm_memory_contains(&memory, fake_address(&initialised)));
    CHECK(vm_memory_contains(&memory, fake_address(&zeroed[50000])));
    CHECK(!vm_memory_contains(&memory, fake_address(&local)));
    CHECK(!vm_memory_contains(&memory, 0));
    void *heap = malloc(1 << 20);
    CHECK(!vm_memory_contains(&memory, fake_address(heap)));
    free(heap);
}

static bool is_marker(void *context, uint64_t address, uint64_t word)
{
    (*(uint64_t *)context)++;
    return word == initialised && address == fake_address(&zeroed[99999]);
}

TEST(every_word_is_looked_at_until_one_is_accepted)
{
    struct vm_memory memory;
    struct memory_reader reader;
    uint64_t seen = 0;
    CHECK(vm_memory_open(&memory, NULL));
    fake_open_reader(&reader, READER_AUTO);
    CHECK_UINT(vm_memory_find(&memory, &reader, is_marker, &seen), 0);
    CHECK(seen >= 100000);
    zeroed[99999] = initialised;
    CHECK_UINT(vm_memory_find(&memory, &reader, is_marker, &seen), fake_address(&zeroed[99999]));
    zeroed[99999] = 0;
    memory_reader_close(&reader);
}

// SPDX-License-Identifier: Apache-2.0
// BIFs by the address of their C function, from a table without a symbol.
#include "capture/beam/bif_table.h"

#include "child_process.h"
#include "fake_vm.h"

enum { ENTRIES = 150, DATA_WORDS = 2048, MODULE = 10, NAME = 100 };

static struct fake_vm vm;
static struct memory_reader reader;
static struct bif_table table;
static uint64_t *data;

static void put_entry(uint64_t *at, uint64_t module, uint64_t name, uint64_t arity, uint64_t f,
                      uint64_t impl)
{
    const uint64_t entry[6] = {
        fake_atom(module), fake_atom(name), 0xFFFFFFFF00000000 | arity, f, impl, 0};
    memcpy(at, entry, sizeof entry);
}

static void make_table(uint64_t *at, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        // From high addresses to low ones: sorted by us.
        uint64_t f = 0x400000 + (cnt - i) * 64ULL;
        put_entry(at + i * 6UL, MODULE, NAME + i, i == 0 ? 1 : i % 4, f, i % 2 == 0 ? f : f + 32);
    }
}

static bool read_it(void)
{
    const struct vm_memory memory = {
        .ranges = {{fake_address(data), fake_address(data + DATA_WORDS)}}, .range_cnt = 1};
    return bif_table_read(&table, &memory, &reader, fake_atom(MODULE), fake_atom(NAME));
}

static void for_each(void (*part)(void))
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        fake_vm_init(&vm, "27", 1024);
        fake_open_reader(&reader, FAKE_READERS[kind]);
        data = fake_alloc(&vm, DATA_WORDS * 8);
        part();
        memory_reader_close(&reader);
        fake_vm_deinit(&vm);
    }
}

static void find_bifs(void)
{
    data[3] = fake_atom(MODULE); // an atom of the same module elsewhere
    make_table(data + 40, ENTRIES);
    CHECK(read_it());
    CHECK_UINT(table.cnt, ENTRIES + ENTRIES / 2);
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t f = 0x400000 + (ENTRIES - i) * 64ULL;
        const struct bif *bif = bif_table_find(&table, f);
        CHECK(bif != NULL);
        CHECK_UINT(bif->function, fake_atom(NAME + i));
        CHECK_UINT(bif->arity, i == 0 ? 1 : i % 4);
        CHECK((bif_table_find(&table, f + 32) != NULL) == (i % 2 == 1));
        CHECK(bif_table_find(&table, f + 8) == NULL);
    }
    bif_table_deinit(&table);
    CHECK(bif_table_find(&table, 0x400040) == NULL);
}

TEST(functions_are_found_by_address)
{
    for_each(find_bifs);
}

static void find_nothing(void)
{
    CHECK(!read_it());
    make_table(data + 40, 20); // too few to be the table
    CHECK(!read_it());
    CHECK_UINT(table.cnt, 0);
    CHECK(bif_table_find(&table, 0x400040) == NULL);
}

TEST(without_a_table_there_is_none)
{
    for_each(find_nothing);
}

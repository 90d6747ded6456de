// SPDX-License-Identifier: Apache-2.0
// BIFs by the address of their C function, from a table without a symbol; and nothing
// from one that is not what the VM says.
#include "capture/beam/bif_table.h"

#include "child_process.h"
#include "fake_vm.h"

enum { ENTRIES = 150, DATA_WORDS = 2048, FIRST = 40, MODULE = 10, NAME = 100 };

static struct fake_vm vm;
static struct memory_reader reader;
static struct bif_table table;
static struct bif wanted[ENTRIES];
static uint64_t *data;

static uint64_t f_of(unsigned i)
{
    return 0x400000 + (ENTRIES - i) * 64ULL; // from high addresses to low ones: sorted by us
}

static uint64_t impl_of(unsigned i)
{
    return i % 2 == 0 ? f_of(i) : f_of(i) + 32;
}

static void make_table(uint64_t *at, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        const uint64_t entry[6] = {
            wanted[i].module, wanted[i].function, 0xFFFFFFFF00000000 | wanted[i].arity,
            f_of(i),          impl_of(i),         i % 3};
        memcpy(at + i * 6UL, entry, sizeof entry);
    }
}

static bool is_function(const void *context, uint64_t address)
{
    (void)context;
    return address % 32 == 0 && address > 0x400000 && address <= f_of(0) + 32;
}

static bool read_with(const struct bif_layout *layout, struct error *err)
{
    const struct vm_memory memory = {
        .ranges = {{fake_address(data), fake_address(data + DATA_WORDS)}}, .range_cnt = 1};
    const struct bif_search search = {.memory = &memory,
                                      .reader = &reader,
                                      .layout = layout,
                                      .wanted = wanted,
                                      .wanted_cnt = ENTRIES,
                                      .is_function = is_function};
    return bif_table_read(&table, &search, err);
}

static bool read_it(void)
{
    return read_with(&BIF_LAYOUT, NULL);
}

static void for_each(void (*part)(void))
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        wanted[i] = (struct bif){.module = fake_atom(MODULE),
                                 .function = fake_atom(NAME + i),
                                 .arity = i == 0 ? 1 : i % 4};
    }
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
    make_table(data + FIRST, ENTRIES);
    CHECK(read_it());
    CHECK_UINT(table.cnt, ENTRIES + ENTRIES / 2);
    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct bif *bif = bif_table_find(&table, f_of(i));
        CHECK(bif != NULL);
        CHECK_UINT(bif->function, fake_atom(NAME + i));
        CHECK_UINT(bif->arity, i == 0 ? 1 : i % 4);
        CHECK((bif_table_find(&table, f_of(i) + 32) != NULL) == (i % 2 == 1));
        CHECK(bif_table_find(&table, f_of(i) + 8) == NULL);
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
    make_table(data + FIRST, 20); // too few to be the table
    CHECK(!read_it());
    CHECK_UINT(table.cnt, 0);
    CHECK(bif_table_find(&table, 0x400040) == NULL);
}

TEST(without_a_table_there_is_none)
{
    for_each(find_nothing);
}

static void find_a_wrong_word(void)
{
    static const unsigned ENTRY[] = {0, 1, 77, ENTRIES - 1};
    make_table(data + FIRST, ENTRIES);
    for (size_t i = 0; i < sizeof ENTRY / sizeof ENTRY[0]; i++) {
        for (unsigned k = 0; k < 5; k++) {
            uint64_t *word = &data[FIRST + ENTRY[i] * 6 + k];
            uint64_t right = *word;
            *word = k == 2 ? right + 1 : right + 8;
            CHECK(!read_it());
            *word = right;
        }
    }
    CHECK(read_it());
    bif_table_deinit(&table);
}

TEST(a_table_that_says_anything_else_is_refused)
{
    for_each(find_a_wrong_word);
}

static void check_refused(const struct bif_layout *layout)
{
    struct error err = {0};
    CHECK(!read_with(layout, &err));
    CHECK_INT(err.code, ERROR_LAYOUT);
    CHECK(strncmp(err.detail, "BIF table: ", 11) == 0);
    CHECK(table.bifs == NULL);
}

static void move_offsets(void)
{
    static const int BY[] = {4, -4, 8, -8, 16, -16, 64};
    make_table(data + FIRST, ENTRIES);
    for (int field = 0; field < BIF_FIELD_CNT; field++) {
        for (size_t i = 0; i < sizeof BY / sizeof BY[0]; i++) {
            struct bif_layout layout = BIF_LAYOUT;
            layout.offset[field] += (uint32_t)BY[i];
            if (layout.offset[field] < 1024) {
                check_refused(&layout);
            }
        }
    }
}

TEST(a_layout_with_any_offset_moved_is_refused)
{
    for_each(move_offsets);
}

static void swap_offsets(void)
{
    make_table(data + FIRST, ENTRIES);
    for (int a = 0; a < BIF_FIELD_CNT; a++) {
        for (int b = 0; b < a; b++) {
            struct bif_layout layout = BIF_LAYOUT;
            layout.offset[a] = BIF_LAYOUT.offset[b];
            layout.offset[b] = BIF_LAYOUT.offset[a];
            // Either function is the BIF's: nothing else is read.
            if (a == BIF_FIELD_IMPL && b == BIF_FIELD_F) {
                CHECK(read_with(&layout, NULL));
                bif_table_deinit(&table);
            } else {
                check_refused(&layout);
            }
        }
    }
}

TEST(a_layout_with_two_offsets_swapped_is_refused)
{
    for_each(swap_offsets);
}

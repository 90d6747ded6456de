// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/symbol_table.h"

#include "test.h"

static struct symbol_table table;

static void begin(size_t max_bytes)
{
    symbol_table_deinit(&table);
    symbol_table_init(&table, max_bytes);
}

static const char *name_at(uint64_t address)
{
    const struct symbol *symbol = symbol_table_find(&table, address);
    return symbol == NULL ? "-" : symbol_table_name(&table, symbol).bytes;
}

static bool add(uint64_t address, uint64_t size, const char *name)
{
    return symbol_table_add(&table, address, size, SYMBOL_EXACT, 0, text_of(name));
}

TEST(ranges_are_half_open)
{
    begin(1 << 20);
    CHECK(add(200, 10, "b"));
    CHECK(add(100, 10, "a"));
    symbol_table_finish(&table);
    CHECK_STR(name_at(99), "-");
    CHECK_STR(name_at(100), "a");
    CHECK_STR(name_at(109), "a");
    CHECK_STR(name_at(110), "-");
    CHECK_STR(name_at(200), "b");
    CHECK_STR(name_at(UINT64_MAX), "-");
}

TEST(lent_names_are_packed_from_where_they_are)
{
    static const char LENT[] = "\0first\0second@@V_2\0third";
    struct text lent = {LENT, sizeof LENT};
    begin(1 << 20);
    table.packed.unpacker = name_unpacker_create();
    CHECK(table.packed.unpacker != NULL);
    symbol_table_reserve(&table, 4);
    CHECK(table.capacity >= 4);
    symbol_table_lend(&table, lent);
    CHECK(add(300, 10, LENT + 19)); // third
    CHECK(add(100, 10, LENT + 1));
    CHECK(symbol_table_add(&table, 200, 10, SYMBOL_EXACT, 0, (struct text){LENT + 7, 6}));
    CHECK(add(400, 10, "own"));
    CHECK_UINT(table.name_bytes, sizeof "second" + sizeof "own"); // a part is copied, too
    symbol_table_finish(&table);
    CHECK_STR(name_at(100), "first");
    CHECK_STR(name_at(200), "second");
    CHECK_STR(name_at(300), "third");
    CHECK_STR(name_at(400), "own");
    CHECK_UINT(table.lent.len, 0);
    CHECK(add(500, 10, "more")); // of nobody
    symbol_table_finish(&table);
    CHECK_STR(name_at(300), "third");
    CHECK_STR(name_at(500), "more");
    struct name_unpacker *unpacker = table.packed.unpacker;
    table.packed.unpacker = NULL;
    symbol_table_deinit(&table);
    name_unpacker_destroy(unpacker);
}

TEST(the_better_name_of_an_address_stays)
{
    begin(1 << 20);
    CHECK(symbol_table_add(&table, 100, 10, SYMBOL_EXACT, 1, TEXT("low")));
    CHECK(symbol_table_add(&table, 100, 10, SYMBOL_EXACT, 3, TEXT("high")));
    CHECK(symbol_table_add(&table, 100, 10, SYMBOL_EXACT, 3, TEXT("later")));
    symbol_table_finish(&table);
    CHECK_UINT(table.cnt, 1);
    CHECK_STR(name_at(105), "high");
}

TEST(the_latest_name_stays_where_asked)
{
    begin(1 << 20);
    table.latest_wins = true;
    CHECK(add(100, 10, "old"));
    CHECK(add(100, 20, "new"));
    symbol_table_finish(&table);
    CHECK_STR(name_at(115), "new");
    CHECK(add(100, 20, "newer"));
    symbol_table_finish(&table);
    CHECK_STR(name_at(100), "newer");
}

TEST(open_ends_reach_to_the_next_symbol)
{
    begin(1 << 20);
    CHECK(symbol_table_add(&table, 100, 1000, SYMBOL_UP_TO_THE_NEXT, 0, TEXT("a")));
    CHECK(symbol_table_add(&table, 150, 20, SYMBOL_UP_TO_THE_NEXT, 0, TEXT("b")));
    symbol_table_finish(&table);
    CHECK_STR(name_at(149), "a");
    CHECK_STR(name_at(150), "b");
    CHECK_STR(name_at(169), "b");
    CHECK_STR(name_at(170), "-"); // not a again
}

TEST(an_enclosing_symbol_is_found_behind_an_enclosed_one)
{
    begin(1 << 20);
    CHECK(add(100, 100, "outer"));
    CHECK(add(120, 10, "inner"));
    symbol_table_finish(&table);
    CHECK_STR(name_at(110), "outer");
    CHECK_STR(name_at(125), "inner");
    CHECK_STR(name_at(130), "outer");
}

TEST(what_exceeds_the_limit_is_refused_and_counted)
{
    begin(1000);
    uint32_t cnt = 0;
    while (add(cnt * 16, 16, "fourteen_bytes") && cnt < 1000) {
        cnt++;
    }
    CHECK(cnt > 10 && cnt < 100);
    CHECK_UINT(table.refused, 1);
    symbol_table_finish(&table);
    CHECK_STR(name_at(0), "fourteen_bytes");
    CHECK(symbol_table_memory_bytes(&table) <= 1000);
}

TEST(an_empty_name_is_refused)
{
    begin(1000);
    CHECK(!add(1, 1, ""));
    symbol_table_finish(&table);
    CHECK_STR(name_at(1), "-");
}

TEST(ranges_at_the_end_of_the_address_space)
{
    begin(1 << 20);
    CHECK(add(UINT64_MAX - 4, UINT64_MAX, "last"));
    symbol_table_finish(&table);
    CHECK_STR(name_at(UINT64_MAX), "last");
    CHECK_STR(name_at(3), "-");
}

TEST(many_symbols_in_any_order)
{
    begin(8 << 20);
    uint64_t at = 12345;
    char name[32];
    for (int i = 0; i < 20000; i++) {
        at = (at * 48271) % 2147483647;
        (void)snprintf(name, sizeof name, "f%llu", (unsigned long long)(at & ~15ULL));
        CHECK(add(at & ~15ULL, 16, name));
    }
    symbol_table_finish(&table);
    at = 12345;
    for (int i = 0; i < 20000; i++) {
        at = (at * 48271) % 2147483647;
        (void)snprintf(name, sizeof name, "f%llu", (unsigned long long)(at & ~15ULL));
        CHECK_STR(name_at(at), name);
    }
    symbol_table_deinit(&table);
    symbol_table_deinit(&table);
}

TEST(packed_names_are_those_that_were_added)
{
    struct name_unpacker *unpacker = name_unpacker_create();
    begin(1 << 20);
    table.packed.unpacker = unpacker;
    char name[32];
    for (uint64_t i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof name, "function_%u", (unsigned)i);
        CHECK(add(1000 + 10 * (i * 7 % 3000), 10, name));
        CHECK(add(1000 + 10 * (i * 7 % 3000), 10, "another name of it"));
        if (i == 1500) {
            symbol_table_finish(&table); // more is to come
        }
    }
    symbol_table_finish(&table);
    CHECK_UINT(table.cnt, 3000);
    for (uint64_t i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof name, "function_%u", (unsigned)i);
        CHECK_STR(name_at(1000 + 10 * (i * 7 % 3000)), name);
    }
    CHECK(symbol_table_memory_bytes(&table) < 3000 * (sizeof *table.symbols + 10));
    symbol_table_deinit(&table);
    table.packed.unpacker = NULL;
    name_unpacker_destroy(unpacker);
}

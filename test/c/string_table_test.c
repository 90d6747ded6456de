// SPDX-License-Identifier: Apache-2.0
// Equal bytes, equal ids, at one address for good; never more bytes than allowed.
#include "base/string_table.h"

#include "test.h"

static struct text number_text(char *bytes, unsigned number)
{
    return (struct text){bytes,
                         (uint32_t)snprintf(bytes, 32, "module_%u:f/%u", number, number % 7)};
}

TEST(the_empty_string_is_zero)
{
    struct string_table *table = string_table_create(1000);
    CHECK(table != NULL);
    CHECK_UINT(string_table_intern(table, TEXT("")), 0);
    CHECK_UINT(string_table_intern(table, (struct text){NULL, 0}), 0);
    CHECK_UINT(string_table_refused(table), 0);
    CHECK_UINT(string_table_text(table, 0).len, 0);
    CHECK_UINT(string_table_count(table), 1);
    string_table_destroy(table);
    string_table_destroy(NULL);
}

TEST(a_table_has_a_number_of_its_own)
{
    uint32_t last = 0;
    for (int i = 0; i < 3; i++) { // in memory that is used again
        struct string_table *table = string_table_create(1000);
        CHECK(string_table_number(table) > last);
        last = string_table_number(table);
        string_table_destroy(table);
    }
}

TEST(equal_bytes_have_equal_ids)
{
    struct string_table *table = string_table_create(1000);
    char copy[] = "abc";
    string_id abc = string_table_intern(table, TEXT("abc"));
    CHECK(abc != 0);
    CHECK_UINT(string_table_intern(table, (struct text){copy, 3}), abc);
    CHECK(string_table_intern(table, (struct text){copy, 2}) != abc);
    CHECK(string_table_intern(table, (struct text){"abc\0", 4}) != abc);
    CHECK(string_table_intern(table, TEXT("ABC")) != abc);
    memset(copy, 'x', 3); // it keeps its own
    CHECK(text_equal(string_table_text(table, abc), TEXT("abc")));
    CHECK_UINT(string_table_count(table), 5);
    string_table_destroy(table);
}

TEST(growth_moves_no_string)
{
    enum { STRINGS = 100000 };
    struct string_table *table = string_table_create(16 << 20);
    static string_id ids[STRINGS];
    static const char *places[STRINGS];
    char bytes[32];
    for (unsigned i = 0; i < STRINGS; i++) {
        ids[i] = string_table_intern(table, number_text(bytes, i));
        places[i] = string_table_text(table, ids[i]).bytes;
        CHECK_UINT(ids[i], i + 1);
    }
    for (unsigned i = 0; i < STRINGS; i++) {
        struct text wanted = number_text(bytes, i);
        CHECK_UINT(string_table_intern(table, wanted), ids[i]);
        struct text got = string_table_text(table, ids[i]);
        CHECK(text_equal(got, wanted));
        CHECK(got.bytes == places[i]);
    }
    CHECK_UINT(string_table_count(table), STRINGS + 1);
    CHECK_UINT(string_table_refused(table), 0);
    CHECK(string_table_memory_bytes(table) > STRINGS * 10);
    CHECK(string_table_memory_bytes(table) < STRINGS * 100);
    string_table_destroy(table);
}

TEST(a_full_table_refuses_and_counts)
{
    struct string_table *table = string_table_create(10);
    CHECK(string_table_intern(table, TEXT("12345")) != 0);
    CHECK_UINT(string_table_intern(table, TEXT("123456")), 0);
    CHECK_UINT(string_table_refused(table), 1);
    string_id second = string_table_intern(table, TEXT("67890")); // to the last byte
    CHECK(second != 0);
    CHECK_UINT(string_table_intern(table, TEXT("x")), 0);
    CHECK_UINT(string_table_refused(table), 2);
    CHECK(string_table_intern(table, TEXT("12345")) != 0); // known ones still work
    CHECK(text_equal(string_table_text(table, second), TEXT("67890")));
    CHECK_UINT(string_table_count(table), 3);
    string_table_destroy(table);
}

TEST(large_strings_are_kept_whole)
{
    enum { LARGE = 300000 };
    struct string_table *table = string_table_create(1 << 20);
    static char large[LARGE];
    memset(large, 'z', sizeof large);
    string_id small = string_table_intern(table, TEXT("small"));
    string_id id = string_table_intern(table, (struct text){large, LARGE});
    string_id after = string_table_intern(table, TEXT("after"));
    CHECK(text_equal(string_table_text(table, id), (struct text){large, LARGE}));
    CHECK(text_equal(string_table_text(table, small), TEXT("small")));
    CHECK(text_equal(string_table_text(table, after), TEXT("after")));
    string_table_destroy(table);
}

TEST(an_unknown_id_is_the_empty_text)
{
    struct string_table *table = string_table_create(10);
    CHECK_UINT(string_table_text(table, 1).len, 0);
    CHECK_UINT(string_table_text(table, UINT32_MAX).len, 0);
    string_table_destroy(table);
}

// The table's own growth, at exactly the size where it doubles.
TEST(refusal_at_the_moment_of_growth_keeps_the_index_whole)
{
    struct string_table *table = string_table_create(511 * 4);
    char bytes[8];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(bytes, sizeof bytes, "%04u", i);
        string_id id = string_table_intern(table, (struct text){bytes, 4});
        CHECK_UINT(id, i < 511 ? i + 1 : 0);
    }
    CHECK_UINT(string_table_refused(table), 2000 - 511);
    for (unsigned i = 0; i < 511; i++) {
        snprintf(bytes, sizeof bytes, "%04u", i);
        CHECK_UINT(string_table_intern(table, (struct text){bytes, 4}), i + 1);
    }
    string_table_destroy(table);
}

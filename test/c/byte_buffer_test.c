// SPDX-License-Identifier: Apache-2.0
// A buffer never grows past its limit, and what does not fit leaves no part.
#include "base/byte_buffer.h"

#include "test.h"

static struct byte_buffer buffer;

static void begin(size_t max_bytes)
{
    byte_buffer_deinit(&buffer);
    byte_buffer_init(&buffer, max_bytes);
}

static const char *text(void)
{
    static char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)buffer.len, buffer.bytes == NULL ? "" : buffer.bytes);
    return copy;
}

TEST(nothing_is_allocated_before_the_first_byte)
{
    begin(1 << 20);
    CHECK(buffer.bytes == NULL);
    CHECK(byte_buffer_append(&buffer, NULL, 0));
    CHECK(byte_buffer_append_text(&buffer, (struct text){NULL, 0}));
    CHECK(byte_buffer_append_format(&buffer, "%s", ""));
    CHECK(buffer.bytes == NULL && !buffer.overflowed);
    byte_buffer_deinit(&buffer);
    byte_buffer_deinit(&buffer);
}

TEST(bytes_add_up)
{
    begin(1 << 20);
    CHECK(byte_buffer_append(&buffer, "ab\0c", 4));
    CHECK(byte_buffer_append_char(&buffer, 'd'));
    CHECK(byte_buffer_append_text(&buffer, TEXT("ef")));
    CHECK_UINT(buffer.len, 7);
    CHECK_MEM(buffer.bytes, "ab\0cdef", 7);
    byte_buffer_truncate(&buffer, 9); // not longer
    CHECK_UINT(buffer.len, 7);
    byte_buffer_truncate(&buffer, 2);
    CHECK_STR(text(), "ab");
    size_t capacity = buffer.capacity;
    byte_buffer_clear(&buffer);
    CHECK_UINT(buffer.len, 0);
    CHECK_UINT(buffer.capacity, capacity);
}

TEST(it_grows_to_its_limit_and_no_further)
{
    for (size_t limit = 1; limit < 2000; limit += 37) {
        begin(limit);
        for (size_t i = 0; i < limit; i++) {
            CHECK(byte_buffer_append_char(&buffer, (char)i));
        }
        CHECK(!buffer.overflowed);
        CHECK(buffer.capacity <= limit);
        CHECK(!byte_buffer_append_char(&buffer, 'x'));
        CHECK(buffer.overflowed);
        CHECK_UINT(buffer.len, limit);
        CHECK(byte_buffer_append(&buffer, "", 0));
        CHECK(buffer.overflowed); // sticky
        byte_buffer_clear(&buffer);
        CHECK(!buffer.overflowed);
    }
}

TEST(what_does_not_fit_leaves_no_part)
{
    begin(10);
    CHECK(byte_buffer_append_text(&buffer, TEXT("12345678")));
    CHECK(!byte_buffer_append_text(&buffer, TEXT("abc")));
    CHECK(!byte_buffer_append_u64(&buffer, 100));
    CHECK(!byte_buffer_append_i64(&buffer, -10)); // the sign alone would fit
    CHECK(!byte_buffer_append_hex(&buffer, 1, 3));
    CHECK(!byte_buffer_append_format(&buffer, "%d", 123));
    CHECK(!byte_buffer_append(&buffer, "x", SIZE_MAX));
    CHECK_STR(text(), "12345678");
    CHECK(byte_buffer_append_i64(&buffer, -1));
    CHECK_STR(text(), "12345678-1");
}

TEST(a_format_that_fits_exactly_is_taken)
{
    begin(5);
    CHECK(byte_buffer_append_format(&buffer, "%s", "12345"));
    CHECK_STR(text(), "12345");
    CHECK(!byte_buffer_append_format(&buffer, "%s", "6"));
    CHECK_UINT(buffer.len, 5);
}

TEST(numbers_are_whole)
{
    static const struct {
        uint64_t value;
        const char *text;
    } UNSIGNED[] = {{0, "0"},
                    {9, "9"},
                    {10, "10"},
                    {UINT32_MAX, "4294967295"},
                    {UINT64_MAX, "18446744073709551615"}};
    static const struct {
        int64_t value;
        const char *text;
    } SIGNED[] = {{0, "0"},
                  {-1, "-1"},
                  {INT64_MAX, "9223372036854775807"},
                  {INT64_MIN, "-9223372036854775808"},
                  {INT64_MIN + 1, "-9223372036854775807"}};
    for (size_t i = 0; i < 5; i++) {
        begin(64);
        CHECK(byte_buffer_append_u64(&buffer, UNSIGNED[i].value));
        CHECK_STR(text(), UNSIGNED[i].text);
        begin(64);
        CHECK(byte_buffer_append_i64(&buffer, SIGNED[i].value));
        CHECK_STR(text(), SIGNED[i].text);
    }
}

TEST(hexadecimal_has_at_least_so_many_digits)
{
    static const struct {
        uint64_t value;
        unsigned digits;
        const char *text;
    } CASES[] = {{0, 0, "0"},
                 {0, 1, "0"},
                 {0, 4, "0000"},
                 {0xABC, 1, "abc"},
                 {0xABC, 6, "000abc"},
                 {0xDEADBEEF, 8, "deadbeef"},
                 {UINT64_MAX, 1, "ffffffffffffffff"},
                 {1, 16, "0000000000000001"},
                 {1, 99, "0000000000000001"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        begin(64);
        CHECK(byte_buffer_append_hex(&buffer, CASES[i].value, CASES[i].digits));
        CHECK_STR(text(), CASES[i].text);
    }
}

TEST(formats_of_any_length_are_whole)
{
    char wanted[2100];
    for (int len = 0; len < 2000; len += 41) {
        begin(4096);
        CHECK(byte_buffer_append_text(&buffer, TEXT("head ")));
        CHECK(byte_buffer_append_format(&buffer, "%0*d|", len + 1, 7));
        snprintf(wanted, sizeof wanted, "head %0*d|", len + 1, 7);
        CHECK_UINT(buffer.len, strlen(wanted));
        CHECK_MEM(buffer.bytes, wanted, buffer.len);
    }
    byte_buffer_deinit(&buffer);
}

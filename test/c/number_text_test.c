// SPDX-License-Identifier: Apache-2.0
#include "cli/number_text.h"

#include "test.h"

static uint64_t value;
static char text[NUMBER_TEXT_BYTES];

TEST(whole_numbers_within_limits)
{
    CHECK(number_text_parse("99", 1, 100, &value));
    CHECK_UINT(value, 99);
    static const char *const WRONG[] = {"",   "0",  "101", "-1",   "+1",
                                        " 1", "1 ", "1x",  "0x10", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!number_text_parse(WRONG[i], 1, 100, &value));
    }
    CHECK_UINT(value, 99);
}

TEST(bytes_with_units)
{
    CHECK(number_text_parse_bytes("4096", 1, UINT64_MAX, &value));
    CHECK_UINT(value, 4096);
    CHECK(number_text_parse_bytes("8M", 1, UINT64_MAX, &value));
    CHECK_UINT(value, 8 << 20);
    CHECK(number_text_parse_bytes("2g", 1, UINT64_MAX, &value));
    CHECK_UINT(value, 2ULL << 30);
    CHECK(!number_text_parse_bytes("8MB", 1, UINT64_MAX, &value));
    CHECK(!number_text_parse_bytes("M", 1, UINT64_MAX, &value));
    CHECK(!number_text_parse_bytes("8M", 1, 1000, &value));
    CHECK(!number_text_parse_bytes("99999999999999G", 1, UINT64_MAX, &value));
}

TEST(seconds_with_a_fraction)
{
    CHECK(number_text_parse_seconds("10", &value));
    CHECK_UINT(value, 10000000000);
    CHECK(number_text_parse_seconds("0.5", &value));
    CHECK_UINT(value, 500000000);
    CHECK(number_text_parse_seconds("1.0000000019", &value));
    CHECK_UINT(value, 1000000001);
    static const char *const WRONG[] = {"", "0", "0.0", ".5", "-1", "1e3", "1s", "99999999999"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!number_text_parse_seconds(WRONG[i], &value));
    }
}

TEST(durations_with_a_unit)
{
    CHECK(number_text_parse_duration("60", &value));
    CHECK_UINT(value, 60000000000);
    CHECK(number_text_parse_duration("60s", &value));
    CHECK_UINT(value, 60000000000);
    CHECK(number_text_parse_duration("1.5m", &value));
    CHECK_UINT(value, 90000000000);
    CHECK(number_text_parse_duration("500ms", &value));
    CHECK_UINT(value, 500000000);
    CHECK(number_text_parse_duration("2h", &value));
    CHECK_UINT(value, 7200000000000);
    static const char *const WRONG[] = {"",   "0",   "0s",    "s",          "-1s",
                                        "1d", "1 s", "1.5.5", "999999999h", "1ss"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!number_text_parse_duration(WRONG[i], &value));
    }
}

TEST(bytes_for_people)
{
    CHECK_STR(number_text_bytes(0, text), "0 bytes");
    CHECK_STR(number_text_bytes(999, text), "999 bytes");
    CHECK_STR(number_text_bytes(1400000, text), "1.4 MB");
}

TEST(grouped_for_people)
{
    CHECK_STR(number_text_grouped(0, text), "0");
    CHECK_STR(number_text_grouped(999, text), "999");
    CHECK_STR(number_text_grouped(-1000, text), "-1,000");
    CHECK_STR(number_text_grouped(1234567, text), "1,234,567");
    CHECK_STR(number_text_grouped(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

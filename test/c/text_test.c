// SPDX-License-Identifier: Apache-2.0
// Runs of bytes compared, at their begin and end, empty ones too.
#include "base/text.h"

#include "test.h"

static const struct text NOTHING = {NULL, 0};

TEST(it_is_equal_byte_by_byte)
{
    CHECK(text_equal(TEXT("beam"), text_of("beam")));
    CHECK(!text_equal(TEXT("beam"), TEXT("bean")));
    CHECK(!text_equal(TEXT("beam"), TEXT("bea")));
    CHECK(text_equal(NOTHING, TEXT("")));
    CHECK(text_equal(text_of(NULL), NOTHING));
}

TEST(it_begins_with_itself_and_with_nothing)
{
    CHECK(text_begins_with(TEXT("erlang_memory"), TEXT("erlang_")));
    CHECK(text_begins_with(TEXT("erlang_"), TEXT("erlang_")));
    CHECK(!text_begins_with(TEXT("erlang"), TEXT("erlang_")));
    CHECK(!text_begins_with(TEXT("Erlang_"), TEXT("erlang_")));
    CHECK(text_begins_with(TEXT("x"), NOTHING));
    CHECK(text_begins_with(NOTHING, NOTHING));
    CHECK(!text_begins_with(TEXT(""), TEXT("x")));
}

TEST(it_ends_with_itself_and_with_nothing)
{
    CHECK(text_ends_with(TEXT("lib.ko"), TEXT(".ko")));
    CHECK(text_ends_with(TEXT(".ko"), TEXT(".ko")));
    CHECK(!text_ends_with(TEXT("ko"), TEXT(".ko")));
    CHECK(!text_ends_with(TEXT("lib.koo"), TEXT(".ko")));
    CHECK(text_ends_with(NOTHING, NOTHING));
    CHECK(!text_ends_with(TEXT(""), TEXT("x")));
}

// SPDX-License-Identifier: Apache-2.0
#include "record/system/name_scratch.h"

#include "test.h"

static struct name_scratch scratch;

TEST(texts_stay_until_it_is_cleared)
{
    struct text a = name_scratch_format(&scratch, TEXT("?"), "[%d]", 12);
    struct text b = name_scratch_copy(&scratch, TEXT("main"));
    CHECK(text_equal(a, TEXT("[12]")));
    CHECK(text_equal(b, TEXT("main")));
    name_scratch_clear(&scratch);
    CHECK_UINT(scratch.used, 0);
}

TEST(when_it_is_full_something_else_is_said)
{
    static char big[NAME_SCRATCH_BYTES - 8];
    memset(big, 'x', sizeof big - 1);
    name_scratch_clear(&scratch);
    CHECK_UINT(name_scratch_copy(&scratch, text_of(big)).len, sizeof big - 1);
    CHECK(text_equal(name_scratch_format(&scratch, TEXT("?"), "%d frames", 1000), TEXT("?")));
    struct text name = TEXT("a longer name");
    CHECK(name_scratch_copy(&scratch, name).bytes == name.bytes);
    CHECK(text_equal(name_scratch_format(&scratch, TEXT("?"), "%d", 7), TEXT("7")));
}

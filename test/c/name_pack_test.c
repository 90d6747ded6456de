// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/name_pack.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 20000 };

static struct name_unpacker *unpacker;
static uint32_t places[NAMES];

static struct name_pack new_pack(void)
{
    unpacker = unpacker == NULL ? name_unpacker_create() : unpacker;
    return (struct name_pack){.unpacker = unpacker};
}

static struct text nth_name(uint32_t i)
{
    static char name[64];
    int len = snprintf(name, sizeof name, "_ZN4wide%uEv", i * 7919 % NAMES);
    return (struct text){name, (uint32_t)len};
}

static void fill(struct name_pack *pack)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        CHECK(name_pack_add(pack, nth_name(i), &places[i]));
    }
    name_pack_finish(pack);
}

static uint32_t count_right(const struct name_pack *pack)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        uint32_t n = i * 31 % NAMES;
        right += text_equal(name_pack_name(pack, places[n]), nth_name(n)) ? 1 : 0;
    }
    return right;
}

TEST(names_are_read_back)
{
    struct name_pack pack = new_pack();
    fill(&pack);
    CHECK_UINT(count_right(&pack), NAMES);
    name_pack_deinit(&pack);
}

TEST(they_take_a_part_of_the_room)
{
    struct name_pack pack = new_pack();
    fill(&pack);
    CHECK(name_pack_memory_bytes(&pack) * 2 < name_pack_end(&pack));
    name_pack_deinit(&pack);
}

TEST(numbers_rise)
{
    struct name_pack pack = new_pack();
    fill(&pack);
    uint32_t falls = 0;
    for (uint32_t i = 1; i < NAMES; i++) {
        falls += places[i] <= places[i - 1] ? 1 : 0;
    }
    CHECK_UINT(falls, 0);
    name_pack_deinit(&pack);
}

TEST(more_can_be_added_after_the_end)
{
    struct name_pack pack = new_pack();
    uint32_t at = 0;
    fill(&pack);
    CHECK(name_pack_add(&pack, TEXT("one more"), &at));
    name_pack_finish(&pack);
    CHECK_STR(name_pack_name(&pack, at).bytes, "one more");
    CHECK_UINT(count_right(&pack), NAMES);
    name_pack_deinit(&pack);
}

TEST(a_pack_in_the_place_of_another_has_its_own_names)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct name_pack pack = new_pack();
        uint32_t at = 0;
        char name[NAME_BLOCK_BYTES];
        memset(name, 'a' + (int)i, sizeof name);
        CHECK(name_pack_add(&pack, (struct text){name, sizeof name / 2}, &at));
        CHECK(name_pack_add(&pack, (struct text){name, sizeof name - 1}, &places[0])); // packs
        CHECK_UINT(name_pack_name(&pack, at).len, sizeof name / 2);
        CHECK_UINT(name_pack_name(&pack, at).bytes[0], 'a' + i);
        name_pack_deinit(&pack);
    }
}

TEST(a_name_longer_than_a_block_is_cut)
{
    struct name_pack pack = new_pack();
    char *name = malloc(3 * NAME_BLOCK_BYTES);
    uint32_t at = 0;
    uint32_t next = 0;
    memset(name, 'x', 3 * NAME_BLOCK_BYTES);
    CHECK(name_pack_add(&pack, TEXT("first"), &at));
    CHECK(name_pack_add(&pack, (struct text){name, 3 * NAME_BLOCK_BYTES}, &at));
    CHECK(name_pack_add(&pack, TEXT("next"), &next));
    CHECK_UINT(name_pack_name(&pack, at).len, NAME_BLOCK_BYTES - 1);
    CHECK_STR(name_pack_name(&pack, next).bytes, "next");
    free(name);
    name_pack_deinit(&pack);
}

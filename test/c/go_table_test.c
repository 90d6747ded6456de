// SPDX-License-Identifier: Apache-2.0
#include "unwind/go_table.h"

#include "go_table_image.h"
#include "test.h"

enum { TEXT = 0x401000 };

// What a function with a frame of 0x28 bytes looks like: the check of the stack's end, `push
// %rbp`, `sub`, its body, `add`, `pop`, `ret`; depths 0, 8, 0x28, 8, 0.
#define FRAMED "\x02\x06\x10\x04\x40\x30\x3f\x04\x0f\x01"

static const struct go_image_function FUNCTIONS[] = {
    {"main.first", 0, 0, FRAMED},
    {"main.second[...]", 0x40, GO_FUNCTION_TOP, "\x02\x20"},
    {"runtime.switches", 0x60, GO_FUNCTION_SP_WRITE | 4, "\x02\x81\x01"},
};

static struct go_table_image image;
static struct go_table table;

static bool open_table(enum go_image_version version)
{
    go_image_make(&image, version, FUNCTIONS, 3, 0x100);
    bool ok = go_table_open(&table, image.bytes, image.len);
    table.text = TEXT;
    return ok;
}

static void check_functions(void)
{
    struct go_function function;
    CHECK_UINT(table.function_cnt, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(go_table_function(&table, i, &function));
        CHECK_STR(function.name.bytes, FUNCTIONS[i].name);
        CHECK_UINT(function.flags, FUNCTIONS[i].flags);
        CHECK_UINT(function.start, TEXT + FUNCTIONS[i].start);
        CHECK_UINT(function.end, i < 2 ? TEXT + FUNCTIONS[i + 1].start : TEXT + 0x100);
    }
    CHECK(!go_table_function(&table, 3, &function));
}

TEST(functions_of_both_versions)
{
    CHECK(open_table(GO_IMAGE_1_18));
    check_functions();
    CHECK(open_table(GO_IMAGE_1_20));
    check_functions();
    CHECK_UINT(go_table_text(&table), 0);
    go_image_put_word(&image, GO_TABLE_TEXT_AT, 0x1234);
    CHECK_UINT(go_table_text(&table), 0x1234);
}

TEST(the_names_end_with_a_nul)
{
    CHECK(open_table(GO_IMAGE_1_20));
    struct text names = go_table_names(&table);
    CHECK_STR(names.bytes, "main.first");
    CHECK_INT(names.bytes[names.len], '\0');
}

TEST(depths_of_a_frame)
{
    static const struct go_step WANTED[] = {{TEXT, TEXT + 6, 0},
                                            {TEXT + 6, TEXT + 10, 8},
                                            {TEXT + 10, TEXT + 58, 40},
                                            {TEXT + 58, TEXT + 62, 8},
                                            {TEXT + 62, TEXT + 63, 0}};
    struct go_function function;
    struct go_steps steps;
    struct go_step step;
    CHECK(open_table(GO_IMAGE_1_20));
    CHECK(go_table_function(&table, 0, &function));
    go_steps_begin(&steps, &table, &function);
    for (size_t i = 0; i < sizeof WANTED / sizeof WANTED[0]; i++) {
        CHECK(go_steps_next(&steps, &step));
        CHECK_UINT(step.start, WANTED[i].start);
        CHECK_UINT(step.end, WANTED[i].end);
        CHECK_INT(step.depth_bytes, WANTED[i].depth_bytes);
    }
    CHECK(!go_steps_next(&steps, &step));
}

TEST(steps_end_with_their_function)
{
    struct go_function function;
    struct go_steps steps;
    struct go_step step;
    CHECK(open_table(GO_IMAGE_1_20));
    CHECK(go_table_function(&table, 2, &function));
    go_steps_begin(&steps, &table, &function);
    CHECK(go_steps_next(&steps, &step)); // 129 bytes
    CHECK_UINT(step.end, TEXT + 0x60 + 129);
    function.end = TEXT + 0x70;
    go_steps_begin(&steps, &table, &function);
    CHECK(go_steps_next(&steps, &step));
    CHECK_UINT(step.end, TEXT + 0x70);
    CHECK(!go_steps_next(&steps, &step));
    function.steps = 0; // nothing is said
    go_steps_begin(&steps, &table, &function);
    CHECK(!go_steps_next(&steps, &step));
    function.steps = UINT32_MAX;
    go_steps_begin(&steps, &table, &function);
    CHECK(!go_steps_next(&steps, &step));
}

TEST(what_is_no_table_is_refused)
{
    static const struct {
        size_t at;
        uint64_t value;
    } WRONG[] = {
        {0, 0x08010000FFFFFFFAULL}, // of Go 1.16
        {0, 0x04010000FFFFFFF1ULL}, // of 32 bits
        {8, 0},
        {8, 1 << 22},
        {32, GO_IMAGE_BYTES},
        {32, 2 * GO_IMAGE_PARTS}, // names end there
        {40, GO_IMAGE_BYTES},
        {56, GO_IMAGE_BYTES},
        {64, GO_IMAGE_BYTES},
        {64, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(open_table(GO_IMAGE_1_20));
        go_image_put_word(&image, WRONG[i].at, WRONG[i].value);
        CHECK(!go_table_open(&table, image.bytes, image.len));
    }
    CHECK(!go_table_open(&table, image.bytes, 71));
    CHECK(!go_table_open(&table, NULL, 0));
}

TEST(a_malformed_function_is_left_out)
{
    struct go_function function;
    uint32_t wrong = UINT32_MAX;
    CHECK(open_table(GO_IMAGE_1_20));
    go_image_put(&image, 4 * GO_IMAGE_PARTS + 4, &wrong, sizeof wrong); // where it is told of
    CHECK(!go_table_function(&table, 0, &function));
    CHECK(go_table_function(&table, 1, &function));
    wrong = 0x60; // begins where the next one does
    go_image_put(&image, 4 * GO_IMAGE_PARTS + 8, &wrong, sizeof wrong);
    CHECK(!go_table_function(&table, 1, &function));
}

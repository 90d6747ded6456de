// SPDX-License-Identifier: Apache-2.0
#include "unwind/go_rules.h"

#include "go_table_image.h"
#include "test.h"

enum { TEXT = 0x401000, MAX_ROWS = 32 };

static struct {
    uint64_t pc;
    struct frame_rule rule;
} rows[MAX_ROWS];
static uint32_t row_cnt;

static bool take(void *context, uint64_t pc, const struct frame_rule *rule)
{
    const uint32_t *most = context;
    rows[row_cnt].pc = pc;
    rows[row_cnt++].rule = *rule;
    return row_cnt < *most;
}

static void read_rows(const struct go_image_function *functions, uint32_t cnt, uint32_t most)
{
    static struct go_table_image image;
    struct go_table table;
    go_image_make(&image, GO_IMAGE_1_20, functions, cnt, 0x200);
    CHECK(go_table_open(&table, image.bytes, image.len));
    table.text = TEXT;
    row_cnt = 0;
    go_rules_each(&table, take, &most);
}

static void check_row(uint32_t i, uint32_t at, enum frame_cfa cfa, int32_t cfa_offset)
{
    CHECK(i < row_cnt);
    CHECK_UINT(rows[i].pc, TEXT + at);
    CHECK_INT(rows[i].rule.cfa, cfa);
    CHECK_INT(rows[i].rule.cfa_offset, cfa_offset);
}

TEST(a_frame_is_as_deep_as_its_steps_say)
{
    static const struct go_image_function FUNCTIONS[] = {
        {"main.framed", 0, 0, "\x02\x06\x10\x04\x40\x30\x3f\x04\x0f\x01"},
        {"main.frameless", 0x60, 0, "\x02\x20"},
    };
    read_rows(FUNCTIONS, 2, MAX_ROWS);
    CHECK_UINT(row_cnt, 6);
    check_row(0, 0, FRAME_CFA_SP, 8);
    CHECK_INT(rows[0].rule.fp, FRAME_FP_SAME);
    CHECK_INT(rows[0].rule.return_offset, -8);
    check_row(1, 6, FRAME_CFA_SP, 16);
    CHECK_INT(rows[1].rule.fp, FRAME_FP_AT_CFA);
    CHECK_INT(rows[1].rule.fp_offset, -16);
    check_row(2, 10, FRAME_CFA_SP, 48);
    CHECK_INT(rows[2].rule.fp_offset, -16);
    check_row(3, 58, FRAME_CFA_SP, 16);
    check_row(4, 62, FRAME_CFA_SP, 8);
    check_row(5, 0x60, FRAME_CFA_SP, 8);
}

TEST(what_the_runtime_does_with_stacks)
{
    static const struct go_image_function FUNCTIONS[] = {
        {"runtime.goexit", 0, GO_FUNCTION_TOP, "\x02\x20"},
        {"runtime.systemstack", 0x20, GO_FUNCTION_SP_WRITE, "\x02\x20"},
        {"runtime.sigtramp", 0x40, GO_FUNCTION_TOP, "\x02\x20"},
        {"runtime.sigreturn__sigaction", 0x60, 0, "\x02\x20"},
        {"runtime.mstart", 0x80, GO_FUNCTION_TOP | GO_FUNCTION_SP_WRITE, "\x02\x20"},
        {"runtime.unknown", 0xA0, 0, ""},
        {"runtime.odd", 0xC0, 0, "\x11\x20"},
    };
    read_rows(FUNCTIONS, 7, MAX_ROWS);
    CHECK_UINT(row_cnt, 7);
    check_row(0, 0, FRAME_CFA_END, 0);
    check_row(1, 0x20, FRAME_CFA_OTHER_STACK, 0);
    check_row(2, 0x40, FRAME_CFA_SP, 8);
    check_row(3, 0x60 - 1, FRAME_CFA_SIGNAL, 0); // it is looked up by the byte before
    check_row(4, 0x80, FRAME_CFA_END, 0);
    check_row(5, 0xA0, FRAME_CFA_NONE, 0);
    check_row(6, 0xC0, FRAME_CFA_NONE, 0); // above where it was called
}

TEST(whoever_has_enough_is_asked_no_more)
{
    static const struct go_image_function FUNCTIONS[] = {
        {"main.framed", 0, 0, "\x02\x06\x10\x04\x40\x30\x3f\x04\x0f\x01"},
        {"main.frameless", 0x60, 0, "\x02\x20"},
    };
    read_rows(FUNCTIONS, 2, 2);
    CHECK_UINT(row_cnt, 2);
}

TEST(what_overlaps_is_left_out)
{
    static const struct go_image_function FUNCTIONS[] = {
        {"main.a", 0x40, 0, "\x02\x20"},
        {"main.b", 0x80, 0, "\x02\x20"},
        {"main.back", 0x20, 0, "\x02\x20"}, // in front of the ones before, and as long as all
    };
    read_rows(FUNCTIONS, 3, MAX_ROWS);
    CHECK_UINT(row_cnt, 1);
    check_row(0, 0x40, FRAME_CFA_SP, 8);
}

// SPDX-License-Identifier: Apache-2.0
// Rows of call frame information, made small.
#include "unwind/object_rules.h"

#include "go_table_image.h"
#include "test.h"

enum { CODE = 0x10000, MAX_ROWS = 16 };

static unsigned char section[512];
static size_t len;

static struct {
    uint64_t pc;
    struct frame_rule rule;
} rows[MAX_ROWS];
static unsigned row_cnt;

static void put(const void *bytes, size_t cnt)
{
    memcpy(section + len, bytes, cnt);
    len += cnt;
}

static size_t begin_entry(uint32_t id)
{
    size_t begin = len;
    put(&(uint32_t){0}, 4);
    put(&id, 4);
    return begin;
}

static void end_entry(size_t begin)
{
    while ((len - begin) % 8 != 4) {
        section[len++] = 0;
    }
    uint32_t entry_len = (uint32_t)(len - begin - 4);
    memcpy(section + begin, &entry_len, sizeof entry_len);
}

// CFA = rsp + 8, return address at CFA - 8.
static void begin_section(const char *augmentation)
{
    static const unsigned char REST[] = {1, 0x78, 16, 1, 0x00, 0x0C, 7, 8, 0x90, 1};
    memset(section, 0, sizeof section);
    len = 0;
    size_t begin = begin_entry(0);
    section[len++] = 1;
    put(augmentation, strlen(augmentation) + 1);
    put(REST, sizeof REST);
    end_entry(begin);
}

static void add_function(uint64_t start, uint64_t bytes, const unsigned char *program,
                         size_t program_len)
{
    size_t begin = begin_entry((uint32_t)len + 4);
    put(&start, 8);
    put(&bytes, 8);
    section[len++] = 0;
    put(program, program_len);
    end_entry(begin);
}

static bool take(void *context, uint64_t pc, const struct frame_rule *rule)
{
    (void)context;
    CHECK(row_cnt < MAX_ROWS);
    rows[row_cnt].pc = pc;
    rows[row_cnt++].rule = *rule;
    return true;
}

static void check_row(unsigned at, uint64_t pc, enum frame_cfa cfa, int32_t offset)
{
    CHECK(at < row_cnt);
    CHECK_UINT(rows[at].pc, pc);
    CHECK_INT(rows[at].rule.cfa, cfa);
    CHECK_INT(rows[at].rule.cfa_offset, offset);
}

static struct call_frame_table table;

static void open_table(void)
{
    row_cnt = 0;
    CHECK(call_frame_table_init(&table, section, len, 0x800000));
}

static uint32_t read_rows(void)
{
    open_table();
    uint32_t malformed = object_rules_each(&table, take, NULL);
    call_frame_table_deinit(&table);
    return malformed;
}

TEST(a_function_gives_a_row_for_each_change)
{
    const unsigned char program[] = {0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x48, 0x0C, 7, 8};
    begin_section("zR");
    add_function(CODE, 0x40, program, sizeof program);
    CHECK_UINT(read_rows(), 0);
    CHECK_UINT(row_cnt, 5);
    check_row(0, CODE, FRAME_CFA_SP, 8);
    check_row(1, CODE + 1, FRAME_CFA_SP, 16);
    CHECK_INT(rows[1].rule.fp, FRAME_FP_AT_CFA);
    CHECK_INT(rows[1].rule.fp_offset, -16);
    check_row(2, CODE + 4, FRAME_CFA_FP, 16);
    check_row(3, CODE + 12, FRAME_CFA_SP, 8);
    check_row(4, CODE + 0x40, FRAME_CFA_NONE, 0);
    CHECK_INT(rows[0].rule.return_offset, -8);
}

TEST(padding_between_functions_is_no_row_and_a_gap_is_one)
{
    const unsigned char same[] = {0};
    begin_section("zR");
    add_function(CODE, 0x38, same, 1);
    add_function(CODE + 0x40, 0x40, same, 1);
    add_function(CODE + 0x1000, 0x40, same, 1);
    CHECK_UINT(read_rows(), 0);
    CHECK_UINT(row_cnt, 4);
    check_row(0, CODE, FRAME_CFA_SP, 8);
    check_row(1, CODE + 0x80, FRAME_CFA_NONE, 0);
    check_row(2, CODE + 0x1000, FRAME_CFA_SP, 8);
}

TEST(functions_may_stand_in_any_order)
{
    static const uint64_t STARTS[] = {CODE + 0x900000000, CODE + 0x20, CODE + 0x10000000,
                                      CODE + 0x1000, CODE};
    const unsigned char program[] = {0x0E, 24};
    begin_section("zR");
    for (int i = 0; i < 5; i++) {
        add_function(STARTS[i], 16, program, sizeof program);
    }
    CHECK_UINT(read_rows(), 0);
    static const uint64_t SORTED[] = {CODE, CODE + 0x20, CODE + 0x1000, CODE + 0x10000000,
                                      CODE + 0x900000000};
    for (unsigned i = 0; i < 5; i++) {
        check_row(2 * i, SORTED[i], FRAME_CFA_SP, 24);
        check_row(2 * i + 1, SORTED[i] + 16, FRAME_CFA_NONE, 0);
    }
}

TEST(expressions_that_compilers_and_linkers_write_are_known)
{
    const unsigned char plt[] = {0x0F, 11,   0x77, 8,    0x80, 0,   0x3F,
                                 0x1A, 0x3B, 0x2A, 0x33, 0x24, 0x22};
    const unsigned char realigned[] = {0x0F, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0};
    const unsigned char assembly[] = {0x0F, 5, 0x77, 56, 0x06, 0x23, 8};
    const unsigned char other[] = {0x0F, 2, 0x71, 0};
    begin_section("zR");
    add_function(CODE, 16, plt, sizeof plt);
    add_function(CODE + 16, 16, realigned, sizeof realigned);
    add_function(CODE + 32, 16, assembly, sizeof assembly);
    add_function(CODE + 48, 16, other, sizeof other);
    CHECK_UINT(read_rows(), 0);
    check_row(0, CODE, FRAME_CFA_PLT, 11);
    check_row(1, CODE + 16, FRAME_CFA_DEREF_FP, -8);
    CHECK_INT(rows[1].rule.fp, FRAME_FP_AT_FP);
    check_row(2, CODE + 32, FRAME_CFA_DEREF_SP, 56);
    CHECK_INT(rows[2].rule.deref_add, 8);
    check_row(3, CODE + 48, FRAME_CFA_NONE, 0);
}

TEST(the_outermost_and_signal_frames_are_marked)
{
    const unsigned char outermost[] = {0x07, 16};
    const unsigned char same[] = {0};
    begin_section("zR");
    add_function(CODE, 16, outermost, sizeof outermost);
    (void)read_rows();
    check_row(0, CODE, FRAME_CFA_END, 0);
    begin_section("zRS");
    add_function(CODE, 16, same, sizeof same);
    (void)read_rows();
    check_row(0, CODE, FRAME_CFA_SIGNAL, 0);
}

TEST(r13_is_followed)
{
    const unsigned char program[] = {0x0E, 24, 0x8D, 3};
    begin_section("zR");
    add_function(CODE, 16, program, sizeof program);
    (void)read_rows();
    CHECK_INT(rows[0].rule.r13_offset, -24);
}

TEST(rbx_is_followed_and_may_be_the_frame)
{
    const unsigned char program[] = {0x0E, 24, 0x83, 3, 0x42, 0x0D, 3}; // as ld.so's resolver
    begin_section("zR");
    add_function(CODE, 16, program, sizeof program);
    (void)read_rows();
    check_row(0, CODE, FRAME_CFA_SP, 24);
    CHECK_INT(rows[0].rule.rbx_offset, -24);
    check_row(1, CODE + 2, FRAME_CFA_RBX, 24);
}

TEST(a_malformed_function_is_counted_and_the_next_is_read)
{
    const unsigned char foreign[] = {0x3F};
    const unsigned char same[] = {0};
    begin_section("zR");
    add_function(CODE, 16, foreign, sizeof foreign);
    add_function(CODE + 0x100, 16, same, sizeof same);
    CHECK_UINT(read_rows(), 1);
    check_row(row_cnt - 2, CODE + 0x100, FRAME_CFA_SP, 8);
}

static const unsigned char INIT[] = {0x48, 0x83, 0xEC, 8, 0xFF, 0xD0, 0x48, 0x83, 0xC4, 8, 0xC3};
static const unsigned char FINI[] = {0xF3, 0x0F, 0x1E, 0xFA, 0x48, 0x83, 0xEC,
                                     8,    0x48, 0x83, 0xC4, 8,    0xC3};

static void read_rows_with_stubs(uint64_t init, uint64_t fini)
{
    const unsigned char same[] = {0};
    begin_section("zR");
    add_function(CODE, 0x40, same, 1);
    open_table();
    call_frame_table_add_stub(&table, INIT, sizeof INIT, init);
    call_frame_table_add_stub(&table, FINI, sizeof FINI, fini);
    CHECK_UINT(object_rules_each(&table, take, NULL), 0);
}

TEST(what_runs_first_and_last_in_a_file_has_rows)
{
    read_rows_with_stubs(CODE - 0x100, CODE + 0x100);
    CHECK_UINT(call_frame_table_start(&table), CODE - 0x100);
    CHECK_UINT(call_frame_table_end(&table), CODE + 0x100 + sizeof FINI);
    CHECK_UINT(row_cnt, 10);
    check_row(0, CODE - 0x100, FRAME_CFA_SP, 8);
    CHECK_INT(rows[0].rule.return_offset, -8);
    check_row(1, CODE - 0x100 + 4, FRAME_CFA_SP, 16);
    check_row(2, CODE - 0x100 + sizeof INIT - 1, FRAME_CFA_SP, 8);
    check_row(3, CODE - 0x100 + sizeof INIT, FRAME_CFA_NONE, 0);
    check_row(4, CODE, FRAME_CFA_SP, 8);
    check_row(5, CODE + 0x40, FRAME_CFA_NONE, 0);
    check_row(6, CODE + 0x100, FRAME_CFA_SP, 8);
    check_row(7, CODE + 0x100 + 8, FRAME_CFA_SP, 16);
    check_row(8, CODE + 0x100 + sizeof FINI - 1, FRAME_CFA_SP, 8);
    check_row(9, CODE + 0x100 + sizeof FINI, FRAME_CFA_NONE, 0);
    call_frame_table_deinit(&table);
}

static void read_rows_with_go(uint64_t text)
{
    static const struct go_image_function FUNCTIONS[] = {{"main.main", 0, 0, "\x02\x20"}};
    static struct go_table_image image;
    static struct go_table go; // which the table borrows
    const unsigned char same[] = {0};
    go_image_make(&image, GO_IMAGE_1_20, FUNCTIONS, 1, 0x20);
    CHECK(go_table_open(&go, image.bytes, image.len));
    go.text = text;
    begin_section("zR");
    add_function(CODE, 0x10, same, 1);
    add_function(CODE + 0x100, 0x10, same, 1);
    open_table();
    call_frame_table_add_stub(&table, INIT, sizeof INIT, CODE - 0x100);
    call_frame_table_add_go(&table, &go);
    CHECK_UINT(object_rules_each(&table, take, NULL), 0);
}

TEST(go_code_has_rows_among_the_others)
{
    read_rows_with_go(CODE + 0x80); // between
    CHECK_UINT(row_cnt, 10);
    check_row(6, CODE + 0x80, FRAME_CFA_SP, 8);
    check_row(7, CODE + 0xA0, FRAME_CFA_NONE, 0);
    check_row(8, CODE + 0x100, FRAME_CFA_SP, 8);
    call_frame_table_deinit(&table);
    read_rows_with_go(CODE + 0x200); // behind
    CHECK_UINT(call_frame_table_end(&table), CODE + 0x220);
    CHECK_UINT(row_cnt, 10);
    check_row(8, CODE + 0x200, FRAME_CFA_SP, 8);
    check_row(9, CODE + 0x220, FRAME_CFA_NONE, 0);
    call_frame_table_deinit(&table);
    read_rows_with_go(CODE - 0x200); // in front
    CHECK_UINT(call_frame_table_start(&table), CODE - 0x200);
    CHECK_UINT(row_cnt, 10);
    check_row(0, CODE - 0x200, FRAME_CFA_SP, 8);
    call_frame_table_deinit(&table);
    read_rows_with_go(CODE + 8); // none is believed over a function
    CHECK_UINT(row_cnt, 8);
    call_frame_table_deinit(&table);
}

TEST(other_code_is_no_stub_and_none_is_believed_over_a_function)
{
    read_rows_with_stubs(CODE + 0x3C, CODE); // the second lies before the first
    CHECK_UINT(table.stub_cnt, 1);
    CHECK_UINT(row_cnt, 2);
    check_row(0, CODE, FRAME_CFA_SP, 8);
    check_row(1, CODE + 0x40, FRAME_CFA_NONE, 0);
    call_frame_table_add_stub(&table, INIT, sizeof INIT - 1, CODE + 0x100);
    call_frame_table_add_stub(&table, FINI + 1, sizeof FINI - 1, CODE + 0x100);
    call_frame_table_add_stub(&table, INIT, sizeof INIT, UINT64_MAX - 4);
    CHECK_UINT(table.stub_cnt, 1);
    call_frame_table_deinit(&table);
}

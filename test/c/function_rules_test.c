// SPDX-License-Identifier: Apache-2.0
// The short way says what the long one says, for all functions of the C library and of
// this program; and an index of functions what their entries say.
#include "unwind/function_rules.h"

#include "record/system/unwind_image.h"
#include "test.h"
#include "unwind/object_rules.h"

#include <dlfcn.h>
#include <fcntl.h>

enum { MAX_ROWS = 1 << 20 };

struct rows {
    struct function_row *all;
    uint32_t cnt;
    const struct cfi_section *section;
    bool is_signal;
};

static struct rows expected, found;

static void add(struct rows *rows, uint64_t start, const struct frame_rule *rule)
{
    bool is_new = rows->cnt == 0 || memcmp(&rows->all[rows->cnt - 1].rule, rule, sizeof *rule) != 0;
    if (is_new && rows->cnt < MAX_ROWS) {
        rows->all[rows->cnt++] = (struct function_row){start, *rule};
    }
}

static bool take_row(void *context, uint64_t start, uint64_t end, const struct cfi_row *row)
{
    struct rows *rows = context;
    struct frame_rule rule = frame_rule_of_row(rows->section, row, rows->is_signal);
    CHECK(start < end);
    add(rows, start, &rule);
    return true;
}

static bool take_rule(void *context, uint64_t pc, const struct frame_rule *rule)
{
    add(context, pc, rule);
    return true;
}

static void begin(struct rows *rows)
{
    rows->all = rows->all == NULL ? malloc(MAX_ROWS * sizeof *rows->all) : rows->all;
    rows->cnt = 0;
    CHECK(rows->all != NULL);
}

static void check_same(void)
{
    CHECK_UINT(found.cnt, expected.cnt);
    for (uint32_t i = 0; i < found.cnt; i++) {
        CHECK_UINT(found.all[i].start, expected.all[i].start);
        CHECK(memcmp(&found.all[i].rule, &expected.all[i].rule, sizeof found.all[i].rule) == 0);
    }
}

static bool open_file_of(const void *function, struct elf_file *file)
{
    Dl_info info;
    CHECK(dladdr(function, &info) != 0);
    int fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && elf_file_open(file, fd, NULL);
}

// Those of one function. True when it is a short one.
static bool compare(struct function_rules *rules, const struct cfi_section *section,
                    const struct cfi_fde *fde)
{
    begin(&expected);
    begin(&found);
    expected.section = section;
    expected.is_signal = fde->cie.is_signal;
    CHECK(cfi_each_row(section, fde, take_row, &expected));
    if (!function_rules_read(rules, section, fde)) {
        return false;
    }
    for (uint32_t i = 0; i < rules->row_cnt; i++) {
        add(&found, rules->rows[i].start, &rules->rows[i].rule);
    }
    check_same();
    return true;
}

static void compare_all(const void *function)
{
    static struct function_rules rules;
    struct elf_file file = {0};
    struct call_frame_table table;
    struct cfi_fde fde = {.start = 0};
    uint32_t short_cnt = 0;
    if (!open_file_of(function, &file) || !unwind_image_frames(&file, &table)) {
        TEST_SKIP("no call frame information");
    }
    function_rules_init(&rules);
    for (uint32_t i = 0; i < table.function_cnt; i++) {
        CHECK(cfi_parse_fde(&table.section, table.functions[i].entry, &fde));
        CHECK_UINT(fde.start, table.functions[i].start);
        short_cnt += compare(&rules, &table.section, &fde) ? 1 : 0;
    }
    CHECK(short_cnt > table.function_cnt / 10 * 9);
    call_frame_table_deinit(&table);
    elf_file_close(&file);
}

TEST(both_ways_say_the_same_of_the_c_library)
{
    compare_all((void *)(uintptr_t)malloc);
}

TEST(both_ways_say_the_same_of_this_program)
{
    compare_all((void *)(uintptr_t)compare_all);
}

TEST(by_index_and_by_entries_the_rules_are_the_same)
{
    struct elf_file file = {0};
    struct call_frame_table indexed;
    struct call_frame_table scanned;
    if (!open_file_of((void *)(uintptr_t)malloc, &file) || !unwind_image_frames(&file, &indexed)) {
        TEST_SKIP("no C library with call frame information");
    }
    CHECK(call_frame_table_init(&scanned, indexed.section.bytes, indexed.section.len,
                                indexed.section.address));
    // What no entry describes is told by other sections.
    memcpy(scanned.stubs, indexed.stubs, sizeof scanned.stubs);
    scanned.stub_cnt = indexed.stub_cnt;
    begin(&found);
    begin(&expected);
    CHECK_UINT(indexed.function_cnt, scanned.function_cnt);
    CHECK_UINT(object_rules_each(&indexed, take_rule, &found), 0);
    CHECK_UINT(object_rules_each(&scanned, take_rule, &expected), 0);
    check_same();
    call_frame_table_deinit(&scanned);
    call_frame_table_deinit(&indexed);
    elf_file_close(&file);
}

// An index that lies about entries is not believed.
TEST(an_index_that_is_wrong_is_not_used)
{
    struct elf_file file = {0};
    struct call_frame_table table;
    struct call_frame_table other;
    uint32_t head[] = {0x3B031B01, 0, 2, 16, 1 << 20, 8, 4};
    const struct cfi_section header = {(const unsigned char *)head, sizeof head, 0x1000};
    if (!open_file_of((void *)(uintptr_t)malloc, &file) || !unwind_image_frames(&file, &table)) {
        TEST_SKIP("no C library with call frame information");
    }
    for (uint32_t cnt = 1; cnt <= 3; cnt++) { // out of the section, falling, not there
        head[2] = cnt;
        void *bytes = malloc(table.section.len);
        CHECK(bytes != NULL);
        memcpy(bytes, table.section.bytes, table.section.len);
        CHECK(call_frame_table_take_indexed(&other, bytes, table.section.len, table.section.address,
                                            &header));
        CHECK_UINT(other.function_cnt, table.function_cnt);
        CHECK_UINT(other.functions[0].start, table.functions[0].start);
        call_frame_table_deinit(&other);
    }
    call_frame_table_deinit(&table);
    elf_file_close(&file);
}

// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ELF file that is mapped: what the unwinder makes of it is bounded,
// its rows rise, nothing outside is touched, and both ways to read a function agree.
#include "capture/system/unwind_store.h"
#include "record/system/unwind_image.h"
#include "unwind/function_rules.h"
#include "unwind/object_rules.h"

#include <stdlib.h>
#include <string.h>

static const unsigned char STUB[] = {0x48, 0x83, 0xEC, 8, 0x48, 0x83, 0xC4, 8, 0xC3};

static bool rises(void *context, uint64_t pc, const struct frame_rule *rule)
{
    uint64_t *last = context;
    if (pc < *last || rule->cfa >= FRAME_CFA_CNT) {
        abort();
    }
    *last = pc;
    return true;
}

struct comparison {
    const struct function_rules *rules;
    const struct cfi_section *section;
    uint32_t row_cnt;
};

static bool is_the_same(void *context, uint64_t start, uint64_t end, const struct cfi_row *row)
{
    struct comparison *comparison = context;
    const struct function_row *other = &comparison->rules->rows[comparison->row_cnt++];
    struct frame_rule rule = frame_rule_of_row(comparison->section, row, false);
    if (start >= end || comparison->row_cnt > comparison->rules->row_cnt || start != other->start ||
        memcmp(&rule, &other->rule, sizeof rule) != 0) {
        abort();
    }
    return true;
}

static void read_both_ways(const struct call_frame_table *table)
{
    static struct function_rules rules;
    struct cfi_fde fde = {.start = 0};
    function_rules_init(&rules);
    for (uint32_t i = 0; i < table->function_cnt; i++) {
        struct comparison comparison = {&rules, &table->section, 0};
        if (cfi_parse_fde(&table->section, table->functions[i].entry, &fde) &&
            function_rules_read(&rules, &table->section, &fde) &&
            (!cfi_each_row(&table->section, &fde, is_the_same, &comparison) ||
             comparison.row_cnt != rules.row_cnt)) {
            abort();
        }
    }
}

static void read_table(struct call_frame_table *table)
{
    uint64_t last = 0;
    struct unwind_store *store = unwind_store_create(NULL, NULL);
    (void)object_rules_each(table, rises, &last);
    read_both_ways(table);
    if (store != NULL) {
        (void)unwind_store_add_file(store, table, 1);
        unwind_store_destroy(store);
    }
    call_frame_table_deinit(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct call_frame_table table;
    struct elf_file file = {0};
    uint64_t address = 0;
    if (call_frame_table_init(&table, bytes, size, 0x400000)) {
        for (uint64_t i = 0; i < table.section.len && i < 4; i++) { // near its functions
            uint64_t near = table.functions[0].start + 64 * (uint64_t)bytes[i] - 4096;
            call_frame_table_add_stub(&table, STUB, sizeof STUB, near);
        }
        read_table(&table);
    }
    if (elf_file_open_memory(&file, bytes, size, NULL)) {
        (void)unwind_image_address(file.segments, file.segment_cnt, 0x1000, &address);
        struct unwind_image image;
        if (unwind_image_open(&image, &file)) {
            read_table(&image.frames);
        }
        unwind_image_close(&image);
        elf_file_close(&file);
    }
    return 0;
}

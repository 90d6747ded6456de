// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ELF file that is mapped: what the unwinder makes of it is bounded,
// its rows rise, and nothing outside is touched.
#include "capture/system/unwind_store.h"
#include "record/system/unwind_image.h"
#include "unwind/frame_rule.h"

#include <stdlib.h>

static bool rises(void *context, uint64_t pc, const struct frame_rule *rule)
{
    uint64_t *last = context;
    if (pc < *last || rule->cfa >= FRAME_CFA_CNT) {
        abort();
    }
    *last = pc;
    return true;
}

static void read_table(struct call_frame_table *table)
{
    uint64_t last = 0;
    struct unwind_store *store = unwind_store_create(NULL, NULL);
    (void)frame_rule_each(table, rises, &last);
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
        read_table(&table);
    }
    if (elf_file_open_memory(&file, bytes, size, NULL)) {
        (void)unwind_image_address(file.segments, file.segment_cnt, 0x1000, &address);
        if (unwind_image_frames(&file, &table)) {
            read_table(&table);
        }
        elf_file_close(&file);
    }
    return 0;
}

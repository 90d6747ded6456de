// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/function_starts.h"

#include "unwind/call_frame.h"

#include <stdlib.h>

enum { MAX_SECTION_BYTES = 64 << 20 };

static bool open_table(const struct elf_file *file, struct call_frame_table *table)
{
    size_t len = 0;
    const Elf64_Shdr *section = elf_file_section(file, ".eh_frame");
    char *bytes = section == NULL || section->sh_size == 0
                      ? NULL
                      : elf_file_load_section(file, section, MAX_SECTION_BYTES, &len);
    return bytes != NULL && call_frame_table_take(table, bytes, len, section->sh_addr);
}

// Of one that lies more than 4 GB behind the first, which no linker makes, nothing
// is kept.
static void add(struct function_starts *starts, const struct call_frame_function *function)
{
    uint64_t start = function->start - starts->base;
    uint64_t end = function->end - starts->base;
    if (start < end && end <= UINT32_MAX) {
        starts->ranges[starts->cnt++] = (struct function_range){(uint32_t)start, (uint32_t)end};
    }
}

bool function_starts_load(struct function_starts *starts, const struct elf_file *file)
{
    struct call_frame_table table = {.functions = NULL};
    *starts = (struct function_starts){.cnt = 0};
    if (!open_table(file, &table)) {
        return false;
    }
    starts->ranges = calloc(table.function_cnt, sizeof *starts->ranges);
    if (starts->ranges != NULL && table.function_cnt > 0) {
        starts->base = table.functions[0].start;
        for (uint32_t i = 0; i < table.function_cnt; i++) {
            add(starts, &table.functions[i]);
        }
    }
    call_frame_table_deinit(&table);
    return starts->cnt > 0;
}

void function_starts_drop_named(struct function_starts *starts, const struct symbol_table *table)
{
    uint32_t at = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < starts->cnt; i++) {
        struct function_range range = starts->ranges[i];
        uint64_t address = starts->base + range.start;
        while (at < table->cnt && table->symbols[at].address < address) {
            at++;
        }
        bool is_named = at < table->cnt && table->symbols[at].address == address &&
                        table->symbols[at].size_bytes >= range.end - range.start;
        if (!is_named) {
            starts->ranges[kept++] = range;
        }
    }
    starts->cnt = kept;
    void *smaller = kept == 0 ? NULL : realloc(starts->ranges, kept * sizeof *starts->ranges);
    starts->ranges = smaller == NULL ? starts->ranges : smaller;
}

void function_starts_deinit(struct function_starts *starts)
{
    free(starts->ranges);
    *starts = (struct function_starts){.cnt = 0};
}

bool function_starts_find(const struct function_starts *starts, uint64_t address, uint64_t *start)
{
    uint64_t into = address - starts->base;
    uint32_t low = 0;
    uint32_t high = starts->cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (starts->ranges[middle].start <= into) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || into >= starts->ranges[low - 1].end) {
        return false;
    }
    *start = starts->base + starts->ranges[low - 1].start;
    return true;
}

size_t function_starts_memory_bytes(const struct function_starts *starts)
{
    return starts->cnt * sizeof *starts->ranges;
}

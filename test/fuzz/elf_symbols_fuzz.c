// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ELF file: its symbols, its build id, its debug link.
#include "symbols/system/elf_symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int open_nothing(void *context, const char *path)
{
    (void)context;
    (void)path;
    return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct name_unpacker *unpacker;
    static const struct elf_debug_opener OPENER = {.open = open_nothing};
    struct elf_file file = {0};
    struct symbol_table table;
    uint64_t address = 0;
    if (!elf_file_open_memory(&file, bytes, len, NULL)) {
        return 0;
    }
    symbol_table_init(&table, 1 << 20);
    unpacker = unpacker == NULL ? name_unpacker_create() : unpacker;
    table.packed.unpacker = unpacker;
    (void)elf_symbols_load(&table, &file, TEXT("/usr/bin/x"), &OPENER);
    for (uint32_t i = 0; i < table.cnt; i++) {
        const struct symbol *symbol = symbol_table_find(&table, table.symbols[i].address);
        if (symbol != NULL) {
            (void)symbol_table_name(&table, symbol);
        }
    }
    (void)elf_file_address_of_offset(file.segments, file.segment_cnt, len / 2, &address);
    symbol_table_deinit(&table);
    elf_file_close(&file);
    return 0;
}

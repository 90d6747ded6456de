// SPDX-License-Identifier: Apache-2.0
// Any bytes as the .eh_frame of an ELF file, and as an ELF file.
#include "symbols/system/function_starts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void load(const struct elf_file *file)
{
    struct function_starts starts = {0};
    if (function_starts_load(&starts, file)) {
        for (uint32_t i = 0; i < starts.cnt; i++) {
            uint64_t start = 0;
            uint64_t address = starts.base + starts.ranges[i].start;
            if (function_starts_find(&starts, address, &start) && start > address) {
                __builtin_trap();
            }
        }
    }
    function_starts_deinit(&starts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct elf_file file = {0};
    if (elf_file_open_memory(&file, bytes, len, NULL)) {
        load(&file);
        elf_file_close(&file);
        return 0;
    }
    Elf64_Shdr sections[] = {
        {.sh_name = 0, .sh_type = SHT_PROGBITS, .sh_addr = 0x401000, .sh_size = len}};
    file = (struct elf_file){
        .fd = -1,
        .memory = bytes,
        .size = len,
        .sections = sections,
        .section_cnt = 1,
        .section_names = (char[]){".eh_frame"},
        .section_names_bytes = sizeof ".eh_frame",
    };
    load(&file);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any bytes as a section of call frame information, any registers on any stack: the
// walk ends, and touches nothing outside.
#include "unwind/call_frame.h"

#include <string.h>

#define SECTION 0x400000ULL

static bool read_word(void *context, uint64_t address, uint64_t *word_ret)
{
    (void)context;
    *word_ret = address * 0x9E3779B97F4A7C15ULL;
    return (address & 0x70) != 0x70;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct frame_memory memory = {NULL, read_word};
    struct call_frame_table table;
    struct frame_registers registers;
    bool is_signal = false;
    if (!call_frame_table_init(&table, bytes, size, SECTION)) {
        return 0;
    }
    for (uint32_t i = 0; i < table.function_cnt && i < 16; i++) {
        for (uint64_t at = 0; at < 8; at++) {
            memset(&registers, 0x11, sizeof registers);
            (void)call_frame_unwind(&table, table.functions[i].start + at, &memory, &registers,
                                    &is_signal);
        }
    }
    call_frame_table_deinit(&table);
    return 0;
}

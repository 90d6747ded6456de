// SPDX-License-Identifier: Apache-2.0
// Any bytes as /proc/kallsyms.
#include "symbols/system/kernel_symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kernel_symbols symbols = {0};
    struct text name;
    struct text module;
    FILE *stream = len == 0 ? NULL : fmemopen((void *)(uintptr_t)bytes, len, "r");
    if (stream == NULL) {
        return 0;
    }
    (void)kernel_symbols_parse(&symbols, stream, NULL);
    (void)fclose(stream);
    for (uint32_t i = 0; i < symbols.table.cnt; i++) {
        (void)kernel_symbols_find(&symbols, symbols.table.symbols[i].address, &name, &module);
    }
    kernel_symbols_deinit(&symbols);
    return 0;
}

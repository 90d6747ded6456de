// SPDX-License-Identifier: Apache-2.0
// Any bytes as a perf map.
#include "symbols/system/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct perf_map map;
    struct text name;
    perf_map_open(&map, -1, 1 << 20);
    (void)perf_map_parse(&map, (const char *)bytes, len);
    symbol_table_finish(&map.table);
    for (uint32_t i = 0; i < map.table.cnt; i++) {
        (void)perf_map_find(&map, map.table.symbols[i].address, &name);
    }
    (void)perf_map_find(&map, UINT64_MAX, &name);
    perf_map_close(&map);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any bytes as the sections that tell of inlined functions: the first eight say how the rest
// is divided. What is found stands in the table, and nothing outside is touched.
#include "symbols/system/inline_table.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 8 };

static struct text take(const uint8_t **bytes, size_t *left, size_t share)
{
    size_t len = *left * share / 256;
    struct text part = {(const char *)*bytes, (uint32_t)len};
    *bytes += len;
    *left -= len;
    return part;
}

static void look(const struct inline_table *table, uint64_t address)
{
    struct inlined_call calls[16];
    uint32_t cnt = inline_table_find(table, address, calls, 16);
    for (uint32_t i = 0; i < cnt; i++) {
        if (strlen(calls[i].name.bytes) != calls[i].name.len) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text parts[PARTS];
    if (size < PARTS) {
        return 0;
    }
    const uint8_t *at = bytes + PARTS;
    size_t left = size - PARTS;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = take(&at, &left, bytes[i]);
    }
    struct debug_sections sections = {parts[0], parts[1], parts[2], parts[3],
                                      parts[4], parts[5], parts[6], parts[7]};
    struct inline_table *table = inline_table_parse(&sections);
    for (uint64_t address = 0; table != NULL && address < 0x2000; address += 7) {
        look(table, address);
    }
    if (table != NULL) {
        look(table, UINT64_MAX);
    }
    inline_table_destroy(table);
    return 0;
}

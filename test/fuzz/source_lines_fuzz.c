// SPDX-License-Identifier: Apache-2.0
// Any bytes as .debug_line, the last of them as the names: what is found stands in the
// table, and nothing outside is touched.
#include "symbols/system/source_lines.h"

#include <stdlib.h>
#include <string.h>

static void look(const struct source_lines *lines, uint64_t address)
{
    struct text file;
    uint32_t line = 0;
    if (source_lines_find(lines, address, &file, &line) &&
        (line == 0 || file.len == 0 || strlen(file.bytes) != file.len)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t names_len = size == 0 ? 0 : bytes[0] < size ? bytes[0] : size - 1;
    size_t len = size == 0 ? 0 : size - 1 - names_len;
    struct source_lines *lines = source_lines_parse(
        bytes + (size > 0), len, (const char *)bytes + (size > 0) + len, names_len);
    for (uint64_t address = 0; lines != NULL && address < 0x2000; address += 7) {
        look(lines, address);
    }
    if (lines != NULL) {
        look(lines, UINT64_MAX);
    }
    source_lines_destroy(lines);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any bytes as a symbol file: every part that is read lies inside.
#include "symbols/beam/gdb_symfile.h"

#include <stdlib.h>

static void check_inside(struct text text, const uint8_t *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)text.bytes;
    if (at < bytes || text.len > size || at + text.len > bytes + size) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct gdb_symfile symfile;
    struct gdb_range range;
    struct gdb_line line;
    if (!gdb_symfile_open(&symfile, bytes, size)) {
        return 0;
    }
    size_t parts = 0;
    while (gdb_symfile_range(&symfile, &range)) {
        check_inside(range.name, bytes, size);
        parts++;
        for (uint32_t i = 0; i < range.line_cnt && gdb_symfile_line(&symfile, &line); i++) {
            check_inside(line.file, bytes, size);
            parts++;
        }
    }
    if (parts > size) {
        abort(); // each part takes bytes, so it ends
    }
    return 0;
}

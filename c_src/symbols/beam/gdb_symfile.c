// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/gdb_symfile.h"

#include <string.h>

enum {
    HEADER_MODULE = 1,
    MODULE_FIXED_BYTES = 26, // up to and with the name's length
    MODULE_SKIP_BYTES = 32,  // what the writer adds for them (sizeof), before the name's length
    RANGE_FIXED_BYTES = 14,
    RANGE_SKIP_BYTES = 16,
    LINE_FIXED_BYTES = 10,
    LINE_SKIP_BYTES = 12,
};

static uint16_t u16_at(const struct gdb_symfile *symfile, size_t at)
{
    uint16_t value;
    memcpy(&value, symfile->bytes + at, sizeof value);
    return value;
}

static uint32_t u32_at(const struct gdb_symfile *symfile, size_t at)
{
    uint32_t value;
    memcpy(&value, symfile->bytes + at, sizeof value);
    return value;
}

static bool has(const struct gdb_symfile *symfile, size_t bytes)
{
    return symfile->at <= symfile->len && bytes <= symfile->len - symfile->at;
}

// Names end with a NUL inside their field; the file may end inside the padding
// of its last one.
static bool take_name(struct gdb_symfile *symfile, size_t fixed, size_t skip, uint16_t len,
                      struct text *name)
{
    if (!has(symfile, fixed + len)) {
        return false;
    }
    const char *bytes = (const char *)symfile->bytes + symfile->at + fixed;
    *name = (struct text){bytes, (uint32_t)strnlen(bytes, len)};
    symfile->at += skip + len;
    return true;
}

bool gdb_symfile_open(struct gdb_symfile *symfile, const void *bytes, size_t len)
{
    *symfile = (struct gdb_symfile){.bytes = bytes, .len = len};
    if (len < MODULE_FIXED_BYTES || u32_at(symfile, 0) != HEADER_MODULE) {
        return false;
    }
    memcpy(&symfile->base, symfile->bytes + 8, sizeof symfile->base);
    symfile->range_cnt = u32_at(symfile, 16);
    symfile->code_bytes = u32_at(symfile, 20);
    symfile->at = MODULE_SKIP_BYTES + u16_at(symfile, 24);
    return symfile->at <= len;
}

bool gdb_symfile_range(struct gdb_symfile *symfile, struct gdb_range *range)
{
    if (!has(symfile, RANGE_FIXED_BYTES)) {
        return false;
    }
    size_t at = symfile->at;
    *range = (struct gdb_range){
        .start = u32_at(symfile, at),
        .end = u32_at(symfile, at + 4),
        .line_cnt = u32_at(symfile, at + 8),
    };
    return take_name(symfile, RANGE_FIXED_BYTES, RANGE_SKIP_BYTES, u16_at(symfile, at + 12),
                     &range->name);
}

bool gdb_symfile_line(struct gdb_symfile *symfile, struct gdb_line *line)
{
    if (!has(symfile, LINE_FIXED_BYTES)) {
        return false;
    }
    size_t at = symfile->at;
    *line = (struct gdb_line){.start = u32_at(symfile, at), .line = u32_at(symfile, at + 4)};
    return take_name(symfile, LINE_FIXED_BYTES, LINE_SKIP_BYTES, u16_at(symfile, at + 8),
                     &line->file);
}

// SPDX-License-Identifier: Apache-2.0
// Reads one of the symbol files that the BEAM JIT makes for GDB. The layout is
// that of OTP 25, 27 and 29 alike:
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/jit/beam_jit_metadata.cpp
//
//   0  u32 header: 0 = the emulator's own, 1 = a module      4  padding
//   8  u64 base    16 u32 range_cnt   ...
//
// A cursor over bytes that may lie: every step is checked. Any thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_GDB_SYMFILE_H
#define FLAME_PROF_SYMBOLS_BEAM_GDB_SYMFILE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdb_symfile {
    const unsigned char *bytes;
    size_t len;
    size_t at;
    uint64_t base; // address of the module's code
    uint32_t code_bytes;
    uint32_t range_cnt;
};

struct gdb_range {
    uint32_t start; // offsets from base
    uint32_t end;
    uint32_t line_cnt;
    struct text name;
};

struct gdb_line {
    uint32_t start;
    uint32_t line;
    struct text file;
};

// False when it is not a module's symbol file or is cut short.
bool gdb_symfile_open(struct gdb_symfile *symfile, const void *bytes, size_t len);
// The next function; its lines follow. False at the end of the file.
bool gdb_symfile_range(struct gdb_symfile *symfile, struct gdb_range *range);
// The next line of the range just read.
bool gdb_symfile_line(struct gdb_symfile *symfile, struct gdb_line *line);

#endif

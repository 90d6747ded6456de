// SPDX-License-Identifier: Apache-2.0
// One unit of .debug_line: its head with the names of its source files, and the program
// that makes its rows. One thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_LINE_UNIT_H
#define FLAME_PROF_SYMBOLS_SYSTEM_LINE_UNIT_H

#include "symbols/system/line_cursor.h"

enum { LINE_UNIT_MAX_FILES = 4096 };

struct line_unit {
    unsigned version;
    unsigned address_bytes;
    unsigned instruction_bytes;
    int line_base;
    unsigned line_range;
    unsigned opcode_base;
    unsigned char opcode_operands[256];
    struct text files[LINE_UNIT_MAX_FILES]; // by the number that the program calls them
    uint32_t file_cnt;
    struct line_cursor program;
};

// Takes the unit at the cursor, which is then behind it. `names` is .debug_line_str. False
// when it is of no version that is known, or makes no sense; the next may.
bool line_unit_read(struct line_unit *unit, struct line_cursor *cursor, struct text names);

struct line_row {
    uint64_t address;
    uint32_t file; // its number in the unit
    uint32_t line;
    bool ends; // the first address behind the code of this sequence
};

// False ends it.
typedef bool (*line_unit_take)(void *context, const struct line_row *row);

// Makes the rows, in the program's order.
bool line_unit_run(struct line_unit *unit, line_unit_take take, void *context);

#endif

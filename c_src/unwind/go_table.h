// SPDX-License-Identifier: Apache-2.0
// The functions of a Go program by the table that its runtime has of them (.gopclntab), which
// stripping leaves: names, how far each place is below its frame's top, and its source file and
// line. Of Go 1.18 and later on 64-bit machines (pcHeader, pcvalue and funcfile of
// https://github.com/golang/go/blob/go1.26.0/src/runtime/symtab.go, _func of runtime2.go there).
// Hostile input: every offset is checked, every loop bounded. Any thread.
#ifndef FLAME_PROF_UNWIND_GO_TABLE_H
#define FLAME_PROF_UNWIND_GO_TABLE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where the head of the table has, up to Go 1.25, the address that functions are counted from.
enum { GO_TABLE_TEXT_AT = 24 };

enum { GO_TABLE_MAX_FUNCTIONS = 1 << 21, GO_TABLE_MAX_NAME_BYTES = 4096 }; // of a path, too

struct go_table {
    const unsigned char *bytes; // borrowed
    size_t len;
    uint64_t text; // what functions are counted from
    uint32_t function_cnt;
    uint32_t flags_at;          // in what is said of a function
    uint32_t instruction_bytes; // what steps are counted in
    uint64_t names_at, names_end;
    uint64_t paths_at; // anywhere; units are in front, from where names end
    uint64_t steps_at;
    uint64_t functions_at;
};

enum {
    GO_FUNCTION_TOP = 1 << 0,      // nobody called it
    GO_FUNCTION_SP_WRITE = 1 << 1, // sets the stack pointer: goes to another stack
};

// What steps tell of a function's code.
enum go_step_kind {
    GO_STEP_DEPTH, // bytes that the stack pointer is below where it was at the call
    GO_STEP_FILE,  // number of the source file (go_table_path); below 0: none
    GO_STEP_LINE,  // of what was inlined, where that is; below 1: none
    GO_STEP_KIND_CNT,
};

struct go_function {
    uint64_t start;
    uint64_t end;                     // exclusive: where the next one begins
    uint32_t name;                    // go_table_name
    uint32_t steps[GO_STEP_KIND_CNT]; // go_steps_begin
    uint32_t unit;                    // go_table_path
    uint8_t flags;
};

// False: it is no table of those versions. `text` is set by the caller afterwards.
bool go_table_open(struct go_table *table, const void *bytes, size_t len);

// What the head says functions are counted from; 0: the loader sets it, or it says nothing.
uint64_t go_table_text(const struct go_table *table);

// All names, one after the other, each with its NUL.
struct text go_table_names(const struct go_table *table);

// Function number `i`, by rising address. False where it is malformed.
bool go_table_function(const struct go_table *table, uint32_t i, struct go_function *function);

// The name of a function of this table, in it; NUL-terminated unless it is as long as may be.
struct text go_table_name(const struct go_table *table, const struct go_function *function);
// The same without measuring the name.
bool go_table_is_named(const struct go_table *table, const struct go_function *function,
                       const char *name);

// Where a source file stood when the function was compiled, in the table; NUL-terminated. False
// when it has no file of that number, or none of a path that long.
bool go_table_path(const struct go_table *table, const struct go_function *function, int32_t file,
                   struct text *path);

// Bounds of all functions; 0 where they are malformed.
uint64_t go_table_start(const struct go_table *table);
uint64_t go_table_end(const struct go_table *table); // exclusive

// One thing that is told of a function, piece of code by piece.
struct go_steps {
    const unsigned char *at;
    const unsigned char *table_end;
    uint64_t end; // of the function
    uint64_t next;
    uint32_t instruction_bytes;
    int32_t value;
    bool is_first;
};

struct go_step {
    uint64_t start;
    uint64_t end; // exclusive
    int32_t value;
};

void go_steps_begin(struct go_steps *steps, const struct go_table *table,
                    const struct go_function *function, enum go_step_kind kind);
// False at the end, or where it is malformed.
bool go_steps_next(struct go_steps *steps, struct go_step *step);

#endif

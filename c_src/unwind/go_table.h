// SPDX-License-Identifier: Apache-2.0
// The functions of a Go program by the table that its runtime has of them (.gopclntab), which
// stripping leaves: names, and how far each place is below its frame's top. Of Go 1.18 and
// later on 64-bit machines (pcHeader and _func of
// https://github.com/golang/go/blob/go1.26.0/src/runtime/symtab.go and runtime2.go). Hostile
// input: every offset is checked, every loop bounded. Any thread.
#ifndef FLAME_PROF_UNWIND_GO_TABLE_H
#define FLAME_PROF_UNWIND_GO_TABLE_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where the head of the table has, up to Go 1.25, the address that functions are counted from.
enum { GO_TABLE_TEXT_AT = 24 };

enum { GO_TABLE_MAX_FUNCTIONS = 1 << 21, GO_TABLE_MAX_NAME_BYTES = 4096 };

struct go_table {
    const unsigned char *bytes; // borrowed
    size_t len;
    uint64_t text; // what functions are counted from
    uint32_t function_cnt;
    uint32_t flags_at; // in what is said of a function
    uint64_t names_at, names_end;
    uint64_t steps_at;
    uint64_t functions_at;
};

enum {
    GO_FUNCTION_TOP = 1 << 0,      // nobody called it
    GO_FUNCTION_SP_WRITE = 1 << 1, // sets the stack pointer: goes to another stack
};

struct go_function {
    uint64_t start;
    uint64_t end;     // exclusive: where the next one begins
    struct text name; // in the table; NUL-terminated unless it is as long as may be
    uint32_t steps;   // go_steps_begin
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

// Bounds of all functions; 0 where they are malformed.
uint64_t go_table_start(const struct go_table *table);
uint64_t go_table_end(const struct go_table *table); // exclusive

// How many bytes the stack pointer is below where it was when the function was called, piece by
// piece.
struct go_steps {
    const unsigned char *at;
    const unsigned char *table_end;
    uint64_t end; // of the function
    uint64_t next;
    int32_t depth_bytes;
    bool is_first;
};

struct go_step {
    uint64_t start;
    uint64_t end; // exclusive
    int32_t depth_bytes;
};

void go_steps_begin(struct go_steps *steps, const struct go_table *table,
                    const struct go_function *function);
// False at the end, or where it is malformed.
bool go_steps_next(struct go_steps *steps, struct go_step *step);

#endif

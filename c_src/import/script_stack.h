// SPDX-License-Identifier: Apache-2.0
// Stacks of perf-script text: blocks of indented lines, leaf first, into nodes of a
// dictionary and codes of dimensions (categories that stand outermost). Blocks and
// lines seen before are told by a hash of their bytes. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_SCRIPT_STACK_H
#define FLAME_PROF_IMPORT_SCRIPT_STACK_H

#include "import/script_notes.h"
#include "model/profile_builder.h"

#include <stdint.h>

enum { SCRIPT_STACK_MAX_FRAMES = 4096, SCRIPT_STACK_MAX_CODES = 16 };

struct script_stack_code {
    uint32_t dimension;
    uint32_t code;
};

struct script_stack {
    stack_id stack;
    uint32_t code_cnt;
    const struct script_stack_code *codes; // valid until the next stack is read
};

struct script_stack_reader;

// NULL when out of memory. Both are borrowed.
struct script_stack_reader *script_stack_reader_create(struct profile_builder *builder,
                                                       struct script_notes *notes);
void script_stack_reader_destroy(struct script_stack_reader *reader);

// The lines in [begin, end), without the last newline. Counts lines and malformed ones.
// Returns `end`, or where an event line stands among the frames.
const char *script_stack_reader_block(struct script_stack_reader *reader, const char *begin,
                                      const char *end, struct script_stack *stack);

// One frame on an event's own line; without one, the stack is empty.
void script_stack_reader_line(struct script_stack_reader *reader, struct text line,
                              struct script_stack *stack);

#endif

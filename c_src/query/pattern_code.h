// SPDX-License-Identifier: Apache-2.0
// A pattern as instructions, with relative jumps so that repeats can be copies.
// Only query/pattern.c runs them.
#ifndef FLAME_PROF_QUERY_PATTERN_CODE_H
#define FLAME_PROF_QUERY_PATTERN_CODE_H

#include "query/pattern.h"

enum pattern_op {
    PATTERN_OP_BYTE,
    PATTERN_OP_ANY,
    PATTERN_OP_CLASS,
    PATTERN_OP_SPLIT, // to the next one and to `to`
    PATTERN_OP_JUMP,
    PATTERN_OP_BEGIN,
    PATTERN_OP_END,
    PATTERN_OP_MATCH,
};

struct pattern_instruction {
    uint8_t op; // enum pattern_op
    uint8_t byte;
    uint16_t class_idx;
    int16_t to; // relative to this instruction
};

struct pattern_class {
    uint64_t bits[4]; // one per byte value
};

struct pattern_code {
    struct pattern_instruction *instructions; // the last one is a match
    uint32_t cnt;
    struct pattern_class *classes;
    uint32_t class_cnt;
    bool ignores_case; // the instructions are for lower-case text
    bool is_literal;   // nothing but these bytes
    char literal[PATTERN_MAX_BYTES];
    uint32_t literal_len;
};

// False, with the reason; _deinit is needed either way. A zeroed struct is fine.
bool pattern_code_compile(struct pattern_code *code, struct text source,
                          struct pattern_fault *fault);
void pattern_code_deinit(struct pattern_code *code);

static inline unsigned char pattern_lower(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

#endif

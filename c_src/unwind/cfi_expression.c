// SPDX-License-Identifier: Apache-2.0
#include "unwind/cfi_expression.h"

enum { MAX_EXPRESSION_OPS = 64, EXPRESSION_STACK = 16 };

struct evaluation {
    struct cfi_cursor cursor;
    const struct frame_registers *registers;
    const struct frame_memory *memory;
    uint64_t stack[EXPRESSION_STACK];
    uint32_t depth;
};

static void push(struct evaluation *evaluation, uint64_t value)
{
    if (evaluation->depth == EXPRESSION_STACK) {
        evaluation->cursor.ok = false;
        return;
    }
    evaluation->stack[evaluation->depth++] = value;
}

static uint64_t pop(struct evaluation *evaluation)
{
    if (evaluation->depth == 0) {
        evaluation->cursor.ok = false;
        return 0;
    }
    return evaluation->stack[--evaluation->depth];
}

static void evaluate_binary(struct evaluation *evaluation, uint8_t op)
{
    uint64_t b = pop(evaluation);
    uint64_t a = pop(evaluation);
    switch (op) {
    case 0x1A: // and
        push(evaluation, a & b);
        break;
    case 0x1C: // minus
        push(evaluation, a - b);
        break;
    case 0x22: // plus
        push(evaluation, a + b);
        break;
    case 0x24: // shl
        push(evaluation, b < 64 ? a << b : 0);
        break;
    case 0x2A: // ge
        push(evaluation, (int64_t)a >= (int64_t)b);
        break;
    default:
        evaluation->cursor.ok = false;
    }
}

// What glibc's and the linker's frames use: the PLT, signal trampolines.
static void evaluate_one(struct evaluation *evaluation)
{
    struct cfi_cursor *cursor = &evaluation->cursor;
    uint8_t op = cfi_take_u8(cursor);
    if (op >= 0x30 && op <= 0x4F) { // lit0..31
        push(evaluation, op - 0x30U);
    } else if (op >= 0x70 && op < 0x70 + FRAME_REGISTER_CNT) { // breg0..16
        push(evaluation,
             evaluation->registers->values[op - 0x70] + (uint64_t)cfi_take_sleb(cursor));
    } else if (op == 0x23) { // plus_uconst
        push(evaluation, pop(evaluation) + cfi_take_uleb(cursor));
    } else if (op == 0x08 || op == 0x09) { // const1u, const1s
        uint64_t byte = cfi_take_bytes(cursor, 1);
        push(evaluation, op == 0x08 ? byte : (uint64_t)(int64_t)(int8_t)byte);
    } else if (op == 0x06) { // deref
        uint64_t word = 0;
        cursor->ok =
            evaluation->memory->read(evaluation->memory->context, pop(evaluation), &word) &&
            cursor->ok;
        push(evaluation, word);
    } else {
        evaluate_binary(evaluation, op);
    }
}

bool cfi_evaluate(const struct cfi_section *section, size_t block,
                  const struct frame_registers *registers, const struct frame_memory *memory,
                  const uint64_t *first, uint64_t *value_ret)
{
    struct evaluation evaluation = {
        .cursor = {section, block, section->len, true}, .registers = registers, .memory = memory};
    uint64_t len = cfi_take_uleb(&evaluation.cursor);
    if (!evaluation.cursor.ok || len > section->len - evaluation.cursor.at) {
        return false;
    }
    evaluation.cursor.end = evaluation.cursor.at + len;
    if (first != NULL) {
        push(&evaluation, *first);
    }
    for (int i = 0; i < MAX_EXPRESSION_OPS && evaluation.cursor.ok &&
                    evaluation.cursor.at < evaluation.cursor.end;
         i++) {
        evaluate_one(&evaluation);
    }
    *value_ret = pop(&evaluation);
    return evaluation.cursor.ok && evaluation.cursor.at == evaluation.cursor.end;
}

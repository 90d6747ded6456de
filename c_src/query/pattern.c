// SPDX-License-Identifier: Apache-2.0
#include "query/pattern.h"

#include "query/pattern_code.h"

#include <stdlib.h>
#include <string.h>

// The instructions of all threads that are alive at one byte of the text.
struct thread_set {
    uint16_t *at;
    uint32_t cnt;
};

struct pattern {
    struct pattern_code code;
    struct thread_set now;
    struct thread_set next;
    uint32_t *seen; // per instruction: the step at which it was added last
    uint16_t *todo;
    uint32_t step;
};

static bool allocate_threads(struct pattern *pattern)
{
    size_t cnt = pattern->code.cnt + 1;
    pattern->now.at = calloc(cnt, sizeof *pattern->now.at);
    pattern->next.at = calloc(cnt, sizeof *pattern->next.at);
    pattern->seen = calloc(cnt, sizeof *pattern->seen);
    // Each instruction enters once, and pushes at most two.
    pattern->todo = calloc(2 * cnt, sizeof *pattern->todo);
    return pattern->now.at != NULL && pattern->next.at != NULL && pattern->seen != NULL &&
           pattern->todo != NULL;
}

struct pattern *pattern_create(struct text source, struct pattern_fault *fault)
{
    struct pattern *pattern = calloc(1, sizeof *pattern);
    *fault = (struct pattern_fault){0, "out of memory"};
    if (pattern == NULL || !pattern_code_compile(&pattern->code, source, fault) ||
        !allocate_threads(pattern)) {
        pattern_destroy(pattern);
        return NULL;
    }
    return pattern;
}

void pattern_destroy(struct pattern *pattern)
{
    if (pattern == NULL) {
        return;
    }
    pattern_code_deinit(&pattern->code);
    free(pattern->now.at);
    free(pattern->next.at);
    free(pattern->seen);
    free(pattern->todo);
    free(pattern);
}

// --- matching -----------------------------------------------------------------

struct position {
    bool is_begin;
    bool is_end;
};

// Adds the instruction and what is reached from it without a byte. True when that
// is the end of the pattern.
static bool add_thread(struct pattern *pattern, struct thread_set *set, uint32_t from,
                       struct position position)
{
    uint32_t todo_cnt = 0;
    pattern->todo[todo_cnt++] = (uint16_t)from;
    while (todo_cnt > 0) {
        uint16_t at = pattern->todo[--todo_cnt];
        const struct pattern_instruction *instruction = &pattern->code.instructions[at];
        if (pattern->seen[at] == pattern->step) {
            continue;
        }
        pattern->seen[at] = pattern->step;
        switch (instruction->op) {
        case PATTERN_OP_MATCH:
            return true;
        case PATTERN_OP_SPLIT:
            pattern->todo[todo_cnt++] = (uint16_t)(at + 1);
            pattern->todo[todo_cnt++] = (uint16_t)(at + instruction->to);
            break;
        case PATTERN_OP_JUMP:
            pattern->todo[todo_cnt++] = (uint16_t)(at + instruction->to);
            break;
        case PATTERN_OP_BEGIN:
        case PATTERN_OP_END:
            if (instruction->op == PATTERN_OP_BEGIN ? position.is_begin : position.is_end) {
                pattern->todo[todo_cnt++] = (uint16_t)(at + 1);
            }
            break;
        default:
            set->at[set->cnt++] = at;
        }
    }
    return false;
}

static bool takes(const struct pattern_code *code, uint32_t at, unsigned char byte)
{
    const struct pattern_instruction *instruction = &code->instructions[at];
    switch (instruction->op) {
    case PATTERN_OP_BYTE:
        return instruction->byte == byte;
    case PATTERN_OP_ANY:
        return true;
    default:
        return (code->classes[instruction->class_idx].bits[byte / 64] >> byte % 64 & 1) != 0;
    }
}

static void next_step(struct pattern *pattern)
{
    if (++pattern->step == 0) {
        memset(pattern->seen, 0, (pattern->code.cnt + 1) * sizeof *pattern->seen);
        pattern->step = 1;
    }
}

static bool run(struct pattern *pattern, struct text text)
{
    struct thread_set *now = &pattern->now;
    struct thread_set *next = &pattern->next;
    now->cnt = 0;
    next_step(pattern);
    if (add_thread(pattern, now, 0, (struct position){true, text.len == 0})) {
        return true;
    }
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        struct position position = {false, i + 1 == text.len};
        byte = pattern->code.ignores_case ? pattern_lower(byte) : byte;
        next->cnt = 0;
        next_step(pattern);
        for (uint32_t t = 0; t < now->cnt; t++) {
            if (takes(&pattern->code, now->at[t], byte) &&
                add_thread(pattern, next, now->at[t] + 1U, position)) {
                return true;
            }
        }
        // It may begin at any byte.
        if (add_thread(pattern, next, 0, position)) {
            return true;
        }
        struct thread_set *swap = now;
        now = next;
        next = swap;
    }
    return false;
}

bool pattern_matches(struct pattern *pattern, struct text text)
{
    const struct pattern_code *code = &pattern->code;
    if (code->is_literal) {
        return memmem(text.len == 0 ? "" : text.bytes, text.len, code->literal,
                      code->literal_len) != NULL;
    }
    return run(pattern, text);
}

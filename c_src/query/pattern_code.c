// SPDX-License-Identifier: Apache-2.0
#include "query/pattern_code.h"

#include <stdlib.h>
#include <string.h>

struct compiler {
    struct pattern_code *code;
    struct text source;
    uint32_t at;
    uint32_t depth;
    struct pattern_fault *fault;
    struct pattern_instruction copy[PATTERN_MAX_INSTRUCTIONS]; // what a repeat repeats
};

static bool fail(struct compiler *compiler, const char *what)
{
    *compiler->fault = (struct pattern_fault){compiler->at, what};
    return false;
}

static bool at_end(const struct compiler *compiler)
{
    return compiler->at == compiler->source.len;
}

static unsigned char peek(const struct compiler *compiler)
{
    return at_end(compiler) ? 0 : (unsigned char)compiler->source.bytes[compiler->at];
}

static bool next_is(const struct compiler *compiler, char byte)
{
    return !at_end(compiler) && peek(compiler) == (unsigned char)byte;
}

// --- emitting -----------------------------------------------------------------

static bool insert(struct compiler *compiler, uint32_t at, struct pattern_instruction instruction)
{
    struct pattern_code *code = compiler->code;
    if (code->cnt == PATTERN_MAX_INSTRUCTIONS) {
        return fail(compiler, "the expression is too large");
    }
    memmove(code->instructions + at + 1, code->instructions + at,
            (code->cnt - at) * sizeof *code->instructions);
    code->instructions[at] = instruction;
    code->cnt++;
    return true;
}

static bool emit(struct compiler *compiler, struct pattern_instruction instruction)
{
    return insert(compiler, compiler->code->cnt, instruction);
}

static bool emit_byte(struct compiler *compiler, unsigned char byte)
{
    byte = compiler->code->ignores_case ? pattern_lower(byte) : byte;
    return emit(compiler, (struct pattern_instruction){.op = PATTERN_OP_BYTE, .byte = byte});
}

static bool emit_class(struct compiler *compiler, const struct pattern_class *set)
{
    struct pattern_code *code = compiler->code;
    if (code->class_cnt == PATTERN_MAX_CLASSES) {
        return fail(compiler, "too many sets of characters");
    }
    code->classes[code->class_cnt] = *set;
    return emit(compiler, (struct pattern_instruction){.op = PATTERN_OP_CLASS,
                                                       .class_idx = (uint16_t)code->class_cnt++});
}

// --- sets of characters -------------------------------------------------------

static void set_add(struct pattern_class *set, unsigned char byte)
{
    set->bits[byte / 64] |= 1ULL << byte % 64;
}

static bool set_has(const struct pattern_class *set, unsigned char byte)
{
    return (set->bits[byte / 64] >> byte % 64 & 1) != 0;
}

static void set_add_range(struct pattern_class *set, unsigned char from, unsigned char to)
{
    for (unsigned byte = from; byte <= to; byte++) {
        set_add(set, (unsigned char)byte);
    }
}

static void set_invert(struct pattern_class *set)
{
    for (int i = 0; i < 4; i++) {
        set->bits[i] = ~set->bits[i];
    }
}

static void set_unite(struct pattern_class *set, const struct pattern_class *other)
{
    for (int i = 0; i < 4; i++) {
        set->bits[i] |= other->bits[i];
    }
}

// \d and the like; false when the letter is none of them.
static bool named_set(unsigned char letter, struct pattern_class *set)
{
    *set = (struct pattern_class){{0}};
    switch (letter | 0x20) {
    case 'd':
        set_add_range(set, '0', '9');
        break;
    case 'w':
        set_add_range(set, '0', '9');
        set_add_range(set, 'a', 'z');
        set_add_range(set, 'A', 'Z');
        set_add(set, '_');
        break;
    case 's':
        set_add(set, ' ');
        set_add_range(set, '\t', '\r');
        break;
    default:
        return false;
    }
    if (letter < 'a') {
        set_invert(set);
    }
    return true;
}

// The set's text is lower case where case is ignored.
static void set_fold(struct pattern_class *set)
{
    for (unsigned byte = 'A'; byte <= 'Z'; byte++) {
        if (set_has(set, (unsigned char)byte)) {
            set_add(set, pattern_lower((unsigned char)byte));
        }
    }
}

static bool set_escape(struct compiler *compiler, struct pattern_class *set, unsigned char *byte)
{
    struct pattern_class named;
    compiler->at++;
    if (at_end(compiler)) {
        return fail(compiler, "a character is missing after \\");
    }
    *byte = peek(compiler);
    if (named_set(*byte, &named)) {
        set_unite(set, &named);
    } else {
        set_add(set, *byte);
    }
    return true;
}

// One character or a range of them.
static bool set_member(struct compiler *compiler, struct pattern_class *set)
{
    unsigned char from = peek(compiler);
    if (from == '\\') {
        if (!set_escape(compiler, set, &from)) {
            return false;
        }
        compiler->at++;
        return true;
    }
    compiler->at++;
    bool is_range = next_is(compiler, '-') && compiler->at + 1 < compiler->source.len &&
                    compiler->source.bytes[compiler->at + 1] != ']';
    if (!is_range) {
        set_add(set, from);
        return true;
    }
    compiler->at++;
    unsigned char to = peek(compiler);
    if (to < from) {
        return fail(compiler, "the range ends before it begins");
    }
    compiler->at++;
    set_add_range(set, from, to);
    return true;
}

static bool parse_set(struct compiler *compiler)
{
    struct pattern_class set = {{0}};
    compiler->at++;
    bool is_inverted = next_is(compiler, '^');
    compiler->at += is_inverted ? 1 : 0;
    bool is_first = true; // a ] that comes first stands for itself
    while (!at_end(compiler) && (is_first || peek(compiler) != ']')) {
        if (!set_member(compiler, &set)) {
            return false;
        }
        is_first = false;
    }
    if (at_end(compiler)) {
        return fail(compiler, "] is missing");
    }
    compiler->at++;
    if (compiler->code->ignores_case) {
        set_fold(&set);
    }
    if (is_inverted) {
        set_invert(&set);
    }
    return emit_class(compiler, &set);
}

// --- the grammar --------------------------------------------------------------

static bool parse_alternatives(struct compiler *compiler);

static bool parse_group(struct compiler *compiler)
{
    if (compiler->depth == PATTERN_MAX_DEPTH) {
        return fail(compiler, "too many parentheses within each other");
    }
    compiler->depth++;
    compiler->at++;
    if (!parse_alternatives(compiler)) {
        return false;
    }
    if (!next_is(compiler, ')')) {
        return fail(compiler, ") is missing");
    }
    compiler->at++;
    compiler->depth--;
    return true;
}

static bool parse_escape(struct compiler *compiler)
{
    struct pattern_class set;
    compiler->at++;
    if (at_end(compiler)) {
        return fail(compiler, "a character is missing after \\");
    }
    unsigned char byte = peek(compiler);
    compiler->at++;
    return named_set(byte, &set) ? emit_class(compiler, &set) : emit_byte(compiler, byte);
}

static bool parse_atom(struct compiler *compiler)
{
    unsigned char byte = peek(compiler);
    switch (byte) {
    case '(':
        return parse_group(compiler);
    case '[':
        return parse_set(compiler);
    case '\\':
        return parse_escape(compiler);
    case '*':
    case '+':
    case '?':
        return fail(compiler, "there is nothing to repeat");
    default:
        break;
    }
    compiler->at++;
    switch (byte) {
    case '.':
        return emit(compiler, (struct pattern_instruction){.op = PATTERN_OP_ANY});
    case '^':
        return emit(compiler, (struct pattern_instruction){.op = PATTERN_OP_BEGIN});
    case '$':
        return emit(compiler, (struct pattern_instruction){.op = PATTERN_OP_END});
    default:
        return emit_byte(compiler, byte);
    }
}

static struct pattern_instruction jump(enum pattern_op op, int64_t to)
{
    return (struct pattern_instruction){.op = (uint8_t)op, .to = (int16_t)to};
}

static bool repeat_any(struct compiler *compiler, uint32_t begin)
{
    int64_t cnt = (int64_t)compiler->code->cnt - begin;
    return insert(compiler, begin, jump(PATTERN_OP_SPLIT, cnt + 2)) &&
           emit(compiler, jump(PATTERN_OP_JUMP, -(cnt + 1)));
}

static bool make_optional(struct compiler *compiler, uint32_t begin)
{
    int64_t cnt = (int64_t)compiler->code->cnt - begin;
    return insert(compiler, begin, jump(PATTERN_OP_SPLIT, cnt + 1));
}

static bool repeat_more(struct compiler *compiler, uint32_t begin)
{
    int64_t cnt = (int64_t)compiler->code->cnt - begin;
    return emit(compiler, jump(PATTERN_OP_SPLIT, -cnt));
}

static bool parse_count(struct compiler *compiler, uint32_t *count)
{
    uint32_t begin = compiler->at;
    for (*count = 0; peek(compiler) >= '0' && peek(compiler) <= '9'; compiler->at++) {
        *count = *count * 10 + (peek(compiler) - '0');
        if (*count > PATTERN_MAX_REPEATS) {
            return fail(compiler, "more than 255 repeats");
        }
    }
    return compiler->at > begin || fail(compiler, "a number is missing in { }");
}

static bool parse_bounds(struct compiler *compiler, uint32_t *min, uint32_t *max)
{
    compiler->at++;
    if (!parse_count(compiler, min)) {
        return false;
    }
    *max = *min;
    if (next_is(compiler, ',')) {
        compiler->at++;
        *max = UINT32_MAX; // no limit
        if (!next_is(compiler, '}') && !parse_count(compiler, max)) {
            return false;
        }
    }
    if (!next_is(compiler, '}')) {
        return fail(compiler, "} is missing");
    }
    if (*max < *min) {
        return fail(compiler, "the range ends before it begins");
    }
    compiler->at++;
    return true;
}

static bool emit_copy(struct compiler *compiler, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (!emit(compiler, compiler->copy[i])) {
            return false;
        }
    }
    return true;
}

static bool repeat_bounded(struct compiler *compiler, uint32_t begin)
{
    uint32_t min = 0;
    uint32_t max = 0;
    uint32_t cnt = compiler->code->cnt - begin;
    if (!parse_bounds(compiler, &min, &max)) {
        return false;
    }
    memcpy(compiler->copy, compiler->code->instructions + begin, cnt * sizeof compiler->copy[0]);
    compiler->code->cnt = begin;
    for (uint32_t i = 0; i < min; i++) {
        if (!emit_copy(compiler, cnt)) {
            return false;
        }
    }
    if (max == UINT32_MAX) {
        uint32_t last = compiler->code->cnt;
        return emit_copy(compiler, cnt) && repeat_any(compiler, last);
    }
    for (uint32_t i = min; i < max; i++) {
        uint32_t last = compiler->code->cnt;
        if (!emit_copy(compiler, cnt) || !make_optional(compiler, last)) {
            return false;
        }
    }
    return true;
}

static bool parse_repeats(struct compiler *compiler, uint32_t begin)
{
    for (;;) {
        char byte = (char)peek(compiler);
        bool ok = true;
        if (byte == '{') {
            ok = repeat_bounded(compiler, begin);
        } else if (byte == '*' || byte == '+' || byte == '?') {
            ok = byte == '*'   ? repeat_any(compiler, begin)
                 : byte == '+' ? repeat_more(compiler, begin)
                               : make_optional(compiler, begin);
            compiler->at++;
        } else {
            return true;
        }
        if (!ok) {
            return false;
        }
    }
}

static bool parse_sequence(struct compiler *compiler)
{
    while (!at_end(compiler) && peek(compiler) != '|' && peek(compiler) != ')') {
        uint32_t begin = compiler->code->cnt;
        if (!parse_atom(compiler) || !parse_repeats(compiler, begin)) {
            return false;
        }
    }
    return true;
}

static bool parse_alternatives(struct compiler *compiler)
{
    uint32_t begin = compiler->code->cnt;
    if (!parse_sequence(compiler)) {
        return false;
    }
    while (next_is(compiler, '|')) {
        compiler->at++;
        int64_t cnt = (int64_t)compiler->code->cnt - begin;
        if (!insert(compiler, begin, jump(PATTERN_OP_SPLIT, cnt + 2))) {
            return false;
        }
        uint32_t out = compiler->code->cnt;
        if (!emit(compiler, jump(PATTERN_OP_JUMP, 0)) || !parse_sequence(compiler)) {
            return false;
        }
        compiler->code->instructions[out].to = (int16_t)(compiler->code->cnt - out);
    }
    return true;
}

// --- the whole ----------------------------------------------------------------

static void find_literal(struct pattern_code *code)
{
    code->is_literal = !code->ignores_case && code->cnt <= PATTERN_MAX_BYTES;
    for (uint32_t i = 0; i + 1 < code->cnt && code->is_literal; i++) {
        code->is_literal = code->instructions[i].op == PATTERN_OP_BYTE;
        code->literal[i] = (char)code->instructions[i].byte;
    }
    code->literal_len = code->cnt - 1;
}

static bool compile_all(struct compiler *compiler)
{
    static const struct text IGNORE_CASE = TEXT("(?i)");
    struct text source = compiler->source;
    if (source.len > PATTERN_MAX_BYTES) {
        return fail(compiler, "the expression is too long");
    }
    if (source.len >= IGNORE_CASE.len &&
        memcmp(source.bytes, IGNORE_CASE.bytes, IGNORE_CASE.len) == 0) {
        compiler->code->ignores_case = true;
        compiler->at = IGNORE_CASE.len;
    }
    if (!parse_alternatives(compiler)) {
        return false;
    }
    return at_end(compiler) || fail(compiler, ") without (");
}

bool pattern_code_compile(struct pattern_code *code, struct text source,
                          struct pattern_fault *fault)
{
    *code = (struct pattern_code){.cnt = 0};
    struct compiler *compiler = calloc(1, sizeof *compiler);
    code->instructions = calloc(PATTERN_MAX_INSTRUCTIONS + 1, sizeof *code->instructions);
    code->classes = calloc(PATTERN_MAX_CLASSES, sizeof *code->classes);
    if (compiler == NULL || code->instructions == NULL || code->classes == NULL) {
        free(compiler);
        *fault = (struct pattern_fault){0, "out of memory"};
        return false;
    }
    compiler->code = code;
    compiler->source = source;
    compiler->fault = fault;
    bool ok = compile_all(compiler);
    free(compiler);
    if (ok) {
        code->instructions[code->cnt++] = jump(PATTERN_OP_MATCH, 0);
        find_literal(code);
    }
    return ok;
}

void pattern_code_deinit(struct pattern_code *code)
{
    free(code->instructions);
    free(code->classes);
    *code = (struct pattern_code){.cnt = 0};
}

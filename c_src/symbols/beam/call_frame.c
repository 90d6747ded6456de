// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/call_frame.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_SECTION_BYTES = 64 << 20,
    MAX_FUNCTIONS = 1 << 20,
    MAX_REMEMBERED = 8,
    MAX_EXPRESSION_OPS = 64,
    EXPRESSION_STACK = 16,
};

// A place in the section; `ok` stays false once something was out of bounds.
struct cursor {
    const struct call_frame_table *table;
    size_t at;
    size_t end;
    bool ok;
};

static uint64_t take_bytes(struct cursor *cursor, size_t cnt)
{
    uint64_t value = 0;
    if (!cursor->ok || cnt > cursor->end - cursor->at) {
        cursor->ok = false;
        return 0;
    }
    memcpy(&value, cursor->table->bytes + cursor->at, cnt);
    cursor->at += cnt;
    return value;
}

static uint8_t take_u8(struct cursor *cursor)
{
    return (uint8_t)take_bytes(cursor, 1);
}

static uint64_t take_uleb(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->ok; shift += 7) {
        uint8_t byte = take_u8(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    cursor->ok = false;
    return 0;
}

static int64_t take_sleb(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->ok;) {
        uint8_t byte = take_u8(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
        if ((byte & 0x80) == 0) {
            bool negative = (byte & 0x40) != 0 && shift < 64;
            return (int64_t)(negative ? value | (~0ULL << shift) : value);
        }
    }
    cursor->ok = false;
    return 0;
}

// DW_EH_PE_*: the low nibble is the format, the next what it is relative to.
static uint64_t take_pointer(struct cursor *cursor, uint8_t encoding)
{
    uint64_t here = cursor->table->address + cursor->at;
    uint64_t value = 0;
    switch (encoding & 0x0F) {
    case 0x00: // absptr
    case 0x04: // udata8
    case 0x0C: // sdata8
        value = take_bytes(cursor, 8);
        break;
    case 0x02: // udata2
        value = take_bytes(cursor, 2);
        break;
    case 0x0A: // sdata2
        value = (uint64_t)(int64_t)(int16_t)take_bytes(cursor, 2);
        break;
    case 0x03: // udata4
        value = take_bytes(cursor, 4);
        break;
    case 0x0B: // sdata4
        value = (uint64_t)(int64_t)(int32_t)take_bytes(cursor, 4);
        break;
    default:
        cursor->ok = false;
        return 0;
    }
    uint8_t base = encoding & 0x70;
    cursor->ok = cursor->ok && (base == 0x00 || base == 0x10);
    return base == 0x10 ? value + here : value;
}

// ---- entries ----------------------------------------------------------------------

struct cie {
    uint64_t code_alignment;
    int64_t data_alignment;
    uint64_t return_column;
    uint8_t pointer_encoding;
    bool has_augmentation_data;
    bool is_signal;
    size_t instructions;
    size_t end;
};

struct fde {
    struct cie cie;
    uint64_t start;
    uint64_t end;
    size_t instructions;
    size_t instructions_end;
};

// A cursor over the entry at `at`, behind its length; `next_ret` is what follows it.
static struct cursor open_entry(const struct call_frame_table *table, size_t at, size_t *next_ret)
{
    struct cursor cursor = {table, at, table->len, true};
    uint64_t len = take_bytes(&cursor, 4);
    if (len == 0xFFFFFFFF) {
        len = take_bytes(&cursor, 8);
    }
    cursor.ok = cursor.ok && len >= 4 && len <= table->len - cursor.at;
    cursor.end = cursor.ok ? cursor.at + len : cursor.at;
    *next_ret = cursor.end;
    return cursor;
}

static bool parse_augmentation(struct cursor *cursor, const char *letters, struct cie *cie)
{
    if (letters[0] != 'z') {
        return letters[0] == '\0';
    }
    uint64_t len = take_uleb(cursor);
    if (!cursor->ok || len > cursor->end - cursor->at) {
        return false;
    }
    cie->has_augmentation_data = true;
    size_t end = cursor->at + len;
    for (const char *letter = letters + 1; *letter != '\0' && cursor->ok; letter++) {
        if (*letter == 'R') {
            cie->pointer_encoding = take_u8(cursor);
        } else if (*letter == 'P') {
            uint8_t encoding = take_u8(cursor);
            (void)take_pointer(cursor, encoding & 0x7F);
        } else if (*letter == 'L') {
            (void)take_u8(cursor);
        } else if (*letter == 'S') {
            cie->is_signal = true;
        } else {
            break; // its data is skipped with the rest
        }
    }
    cursor->at = end;
    return cursor->ok;
}

static bool parse_cie(const struct call_frame_table *table, size_t at, struct cie *cie)
{
    size_t next;
    struct cursor cursor = open_entry(table, at, &next);
    char letters[8] = {0};
    *cie = (struct cie){0};
    uint64_t id = take_bytes(&cursor, 4);
    uint8_t version = take_u8(&cursor);
    for (size_t i = 0; cursor.ok && (letters[i] = (char)take_u8(&cursor)) != '\0';) {
        if (++i == sizeof letters - 1) {
            return false;
        }
    }
    cie->code_alignment = take_uleb(&cursor);
    cie->data_alignment = take_sleb(&cursor);
    cie->return_column = version == 1 ? take_u8(&cursor) : take_uleb(&cursor);
    bool ok = cursor.ok && id == 0 && (version == 1 || version == 3) &&
              cie->return_column == FRAME_REGISTER_RIP && parse_augmentation(&cursor, letters, cie);
    cie->instructions = cursor.at;
    cie->end = cursor.end;
    return ok;
}

static bool parse_fde(const struct call_frame_table *table, size_t at, struct fde *fde)
{
    size_t next;
    struct cursor cursor = open_entry(table, at, &next);
    size_t id_at = cursor.at;
    uint64_t back = take_bytes(&cursor, 4);
    if (!cursor.ok || back == 0 || back > id_at || !parse_cie(table, id_at - back, &fde->cie)) {
        return false;
    }
    fde->start = take_pointer(&cursor, fde->cie.pointer_encoding);
    fde->end = fde->start + take_pointer(&cursor, fde->cie.pointer_encoding & 0x0F);
    if (fde->cie.has_augmentation_data) {
        uint64_t len = take_uleb(&cursor);
        cursor.ok = cursor.ok && len <= cursor.end - cursor.at;
        cursor.at += cursor.ok ? len : 0;
    }
    fde->instructions = cursor.at;
    fde->instructions_end = cursor.end;
    return cursor.ok && fde->end > fde->start;
}

// ---- the table ----------------------------------------------------------------------

// Calls `add` for each FDE; 0-length ends the section.
static uint32_t each_function(struct call_frame_table *table, struct call_frame_function *to)
{
    uint32_t cnt = 0;
    size_t at = 0;
    while (at + 8 <= table->len && cnt < MAX_FUNCTIONS) {
        size_t next;
        struct fde fde;
        struct cursor cursor = open_entry(table, at, &next);
        if (!cursor.ok) {
            break; // the end, or what lies behind it
        }
        uint64_t id = take_bytes(&cursor, 4);
        if (id != 0 && parse_fde(table, at, &fde)) {
            if (to != NULL) {
                to[cnt] = (struct call_frame_function){fde.start, fde.end, (uint32_t)at};
            }
            cnt++;
        }
        at = next;
    }
    return cnt;
}

static int by_start(const void *a, const void *b)
{
    uint64_t left = ((const struct call_frame_function *)a)->start;
    uint64_t right = ((const struct call_frame_function *)b)->start;
    return left < right ? -1 : left > right;
}

bool call_frame_table_init(struct call_frame_table *table, const void *bytes, size_t len,
                           uint64_t address)
{
    *table = (struct call_frame_table){.address = address};
    table->bytes = len > 0 && len <= MAX_SECTION_BYTES ? malloc(len) : NULL;
    if (table->bytes == NULL) {
        return false;
    }
    memcpy(table->bytes, bytes, len);
    table->len = len;
    uint32_t cnt = each_function(table, NULL);
    table->functions = cnt > 0 ? calloc(cnt, sizeof *table->functions) : NULL;
    if (table->functions == NULL) {
        call_frame_table_deinit(table);
        return false;
    }
    table->function_cnt = each_function(table, table->functions);
    qsort(table->functions, cnt, sizeof *table->functions, by_start);
    return true;
}

void call_frame_table_deinit(struct call_frame_table *table)
{
    free(table->bytes);
    free(table->functions);
    *table = (struct call_frame_table){0};
}

const struct call_frame_function *call_frame_find(const struct call_frame_table *table, uint64_t pc)
{
    uint32_t low = 0;
    uint32_t high = table->function_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->functions[middle].start <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct call_frame_function *function = low > 0 ? &table->functions[low - 1] : NULL;
    return function != NULL && pc < function->end ? function : NULL;
}

// ---- the row of a pc ------------------------------------------------------------------

enum rule_kind {
    RULE_SAME,
    RULE_UNDEFINED,
    RULE_AT_CFA,        // saved at the CFA plus `offset`
    RULE_REGISTER,      // is in register `offset`
    RULE_EXPRESSION,    // saved where the expression says
    RULE_IS_CFA,        // the CFA plus `offset` itself
    RULE_IS_EXPRESSION, // what the expression says
};

struct rule {
    enum rule_kind kind;
    int64_t offset;
    size_t expression; // position of its length
};

struct row {
    bool cfa_is_expression;
    uint64_t cfa_register;
    int64_t cfa_offset;
    size_t cfa_expression;
    struct rule rules[FRAME_REGISTER_CNT];
};

struct machine {
    struct cursor cursor;
    const struct cie *cie;
    uint64_t location;
    uint64_t target;
    struct row row;
    struct row initial;
    struct row remembered[MAX_REMEMBERED];
    uint32_t remembered_cnt;
};

static void set_rule(struct machine *machine, uint64_t number, struct rule rule)
{
    if (number < FRAME_REGISTER_CNT) {
        machine->row.rules[number] = rule;
    }
}

static size_t skip_block(struct cursor *cursor)
{
    size_t at = cursor->at;
    uint64_t len = take_uleb(cursor);
    cursor->ok = cursor->ok && len <= cursor->end - cursor->at;
    cursor->at += cursor->ok ? len : 0;
    return at;
}

static void advance(struct machine *machine, uint64_t delta)
{
    machine->location += delta * machine->cie->code_alignment;
}

static void restore(struct machine *machine, uint64_t number)
{
    if (number < FRAME_REGISTER_CNT) {
        machine->row.rules[number] = machine->initial.rules[number];
    }
}

static void remember(struct machine *machine)
{
    if (machine->remembered_cnt == MAX_REMEMBERED) {
        machine->cursor.ok = false;
        return;
    }
    machine->remembered[machine->remembered_cnt++] = machine->row;
}

static void recall(struct machine *machine)
{
    if (machine->remembered_cnt == 0) {
        machine->cursor.ok = false;
        return;
    }
    machine->row = machine->remembered[--machine->remembered_cnt];
}

static void define_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
    machine->row.cfa_is_expression = false;
    machine->row.cfa_register = number;
    machine->row.cfa_offset = offset;
}

// Those about the CFA.
static bool run_cfa_instruction(struct machine *machine, uint8_t op)
{
    struct cursor *cursor = &machine->cursor;
    int64_t factor = machine->cie->data_alignment;
    uint64_t number;
    switch (op) {
    case 0x0C: // def_cfa
        number = take_uleb(cursor);
        define_cfa(machine, number, (int64_t)take_uleb(cursor));
        return true;
    case 0x12: // def_cfa_sf
        number = take_uleb(cursor);
        define_cfa(machine, number, (int64_t)((uint64_t)take_sleb(cursor) * (uint64_t)factor));
        return true;
    case 0x0D: // def_cfa_register
        define_cfa(machine, take_uleb(cursor), machine->row.cfa_offset);
        return true;
    case 0x0E: // def_cfa_offset
        define_cfa(machine, machine->row.cfa_register, (int64_t)take_uleb(cursor));
        return true;
    case 0x13: // def_cfa_offset_sf
        define_cfa(machine, machine->row.cfa_register,
                   (int64_t)((uint64_t)take_sleb(cursor) * (uint64_t)factor));
        return true;
    case 0x0F: // def_cfa_expression
        machine->row.cfa_is_expression = true;
        machine->row.cfa_expression = skip_block(cursor);
        return true;
    default:
        return false;
    }
}

static struct rule offset_rule(const struct machine *machine, enum rule_kind kind,
                               uint64_t factored)
{
    uint64_t factor = (uint64_t)machine->cie->data_alignment;
    return (struct rule){.kind = kind, .offset = (int64_t)(factored * factor)};
}

// Those about one register.
static bool run_register_instruction(struct machine *machine, uint8_t op)
{
    struct cursor *cursor = &machine->cursor;
    uint64_t number = take_uleb(cursor);
    switch (op) {
    case 0x05: // offset_extended
        set_rule(machine, number, offset_rule(machine, RULE_AT_CFA, take_uleb(cursor)));
        return true;
    case 0x11: // offset_extended_sf
        set_rule(machine, number, offset_rule(machine, RULE_AT_CFA, (uint64_t)take_sleb(cursor)));
        return true;
    case 0x14: // val_offset
        set_rule(machine, number, offset_rule(machine, RULE_IS_CFA, take_uleb(cursor)));
        return true;
    case 0x15: // val_offset_sf
        set_rule(machine, number, offset_rule(machine, RULE_IS_CFA, (uint64_t)take_sleb(cursor)));
        return true;
    case 0x06: // restore_extended
        restore(machine, number);
        return true;
    case 0x07: // undefined
        set_rule(machine, number, (struct rule){.kind = RULE_UNDEFINED});
        return true;
    case 0x08: // same_value
        set_rule(machine, number, (struct rule){.kind = RULE_SAME});
        return true;
    case 0x09: // register
        set_rule(machine, number,
                 (struct rule){.kind = RULE_REGISTER, .offset = (int64_t)take_uleb(cursor)});
        return true;
    case 0x10: // expression
    case 0x16: // val_expression
        set_rule(machine, number,
                 (struct rule){.kind = op == 0x10 ? RULE_EXPRESSION : RULE_IS_EXPRESSION,
                               .expression = skip_block(cursor)});
        return true;
    default:
        return false;
    }
}

static void run_plain_instruction(struct machine *machine, uint8_t op)
{
    struct cursor *cursor = &machine->cursor;
    switch (op) {
    case 0x00: // nop
        break;
    case 0x01: // set_loc
        machine->location = take_pointer(cursor, machine->cie->pointer_encoding);
        break;
    case 0x02: // advance_loc1
        advance(machine, take_bytes(cursor, 1));
        break;
    case 0x03: // advance_loc2
        advance(machine, take_bytes(cursor, 2));
        break;
    case 0x04: // advance_loc4
        advance(machine, take_bytes(cursor, 4));
        break;
    case 0x0A:
        remember(machine);
        break;
    case 0x0B:
        recall(machine);
        break;
    case 0x2E: // GNU_args_size
        (void)take_uleb(cursor);
        break;
    default:
        if (!run_cfa_instruction(machine, op) && !run_register_instruction(machine, op)) {
            cursor->ok = false;
        }
    }
}

// One instruction. The upper two bits are the opcode of the three most frequent.
static void run_instruction(struct machine *machine)
{
    uint8_t op = take_u8(&machine->cursor);
    uint8_t low = op & 0x3F;
    switch (op >> 6) {
    case 1:
        advance(machine, low);
        break;
    case 2:
        set_rule(machine, low, offset_rule(machine, RULE_AT_CFA, take_uleb(&machine->cursor)));
        break;
    case 3:
        restore(machine, low);
        break;
    default:
        run_plain_instruction(machine, op);
    }
}

static bool run(struct machine *machine, size_t at, size_t end)
{
    machine->cursor.at = at;
    machine->cursor.end = end;
    while (machine->cursor.ok && machine->cursor.at < end && machine->location <= machine->target) {
        struct row before = machine->row;
        run_instruction(machine);
        if (machine->location > machine->target) {
            machine->row = before;
        }
    }
    return machine->cursor.ok;
}

static bool find_row(const struct call_frame_table *table, const struct fde *fde, uint64_t pc,
                     struct row *row_ret)
{
    struct machine machine = {
        .cursor = {table, 0, 0, true},
        .cie = &fde->cie,
        .location = fde->start,
        .target = pc,
    };
    if (!run(&machine, fde->cie.instructions, fde->cie.end)) {
        return false;
    }
    machine.initial = machine.row;
    if (!run(&machine, fde->instructions, fde->instructions_end)) {
        return false;
    }
    *row_ret = machine.row;
    return true;
}

// ---- expressions ------------------------------------------------------------------------

struct evaluation {
    struct cursor cursor;
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
    struct cursor *cursor = &evaluation->cursor;
    uint8_t op = take_u8(cursor);
    if (op >= 0x30 && op <= 0x4F) { // lit0..31
        push(evaluation, op - 0x30U);
    } else if (op >= 0x70 && op < 0x70 + FRAME_REGISTER_CNT) { // breg0..16
        push(evaluation, evaluation->registers->values[op - 0x70] + (uint64_t)take_sleb(cursor));
    } else if (op == 0x23) { // plus_uconst
        push(evaluation, pop(evaluation) + take_uleb(cursor));
    } else if (op == 0x08 || op == 0x09) { // const1u, const1s
        uint64_t byte = take_bytes(cursor, 1);
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

static bool evaluate(const struct call_frame_table *table, size_t block,
                     const struct frame_registers *registers, const struct frame_memory *memory,
                     const uint64_t *first, uint64_t *value_ret)
{
    struct evaluation evaluation = {
        .cursor = {table, block, table->len, true}, .registers = registers, .memory = memory};
    uint64_t len = take_uleb(&evaluation.cursor);
    if (!evaluation.cursor.ok || len > table->len - evaluation.cursor.at) {
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

// ---- one step -----------------------------------------------------------------------------

static bool find_cfa(const struct call_frame_table *table, const struct row *row,
                     const struct frame_memory *memory, const struct frame_registers *registers,
                     uint64_t *cfa_ret)
{
    if (row->cfa_is_expression) {
        return evaluate(table, row->cfa_expression, registers, memory, NULL, cfa_ret);
    }
    if (row->cfa_register >= FRAME_REGISTER_CNT) {
        return false;
    }
    *cfa_ret = registers->values[row->cfa_register] + (uint64_t)row->cfa_offset;
    return true;
}

static bool apply_rule(const struct call_frame_table *table, const struct rule *rule, uint64_t cfa,
                       const struct frame_memory *memory, const struct frame_registers *registers,
                       uint64_t *value)
{
    uint64_t address = cfa + (uint64_t)rule->offset;
    switch (rule->kind) {
    case RULE_SAME:
    case RULE_UNDEFINED:
        return true;
    case RULE_AT_CFA:
        return memory->read(memory->context, address, value);
    case RULE_REGISTER:
        *value = rule->offset >= 0 && rule->offset < FRAME_REGISTER_CNT
                     ? registers->values[rule->offset]
                     : *value;
        return rule->offset >= 0 && rule->offset < FRAME_REGISTER_CNT;
    case RULE_EXPRESSION:
        return evaluate(table, rule->expression, registers, memory, &cfa, &address) &&
               memory->read(memory->context, address, value);
    case RULE_IS_CFA:
        *value = address;
        return true;
    case RULE_IS_EXPRESSION:
        return evaluate(table, rule->expression, registers, memory, &cfa, value);
    }
    return false;
}

enum call_frame_step call_frame_unwind(const struct call_frame_table *table, uint64_t pc,
                                       const struct frame_memory *memory,
                                       struct frame_registers *registers, bool *is_signal_ret)
{
    const struct call_frame_function *function = call_frame_find(table, pc);
    struct fde fde;
    struct row row;
    uint64_t cfa = 0;
    if (function == NULL || !parse_fde(table, function->entry, &fde) ||
        !find_row(table, &fde, pc, &row)) {
        return CALL_FRAME_UNKNOWN;
    }
    if (row.rules[FRAME_REGISTER_RIP].kind == RULE_UNDEFINED) {
        return CALL_FRAME_OUTERMOST;
    }
    if (!find_cfa(table, &row, memory, registers, &cfa)) {
        return CALL_FRAME_UNKNOWN;
    }
    // Where a rule leads below the stack pointer the register was popped again (an
    // epilogue) and holds what was saved. The return address never does.
    uint64_t rsp = registers->values[FRAME_REGISTER_RSP];
    struct frame_registers caller = *registers;
    caller.values[FRAME_REGISTER_RSP] = cfa;
    for (int i = 0; i < FRAME_REGISTER_CNT; i++) {
        const struct rule *rule = &row.rules[i];
        bool is_popped = rule->kind == RULE_AT_CFA && i != FRAME_REGISTER_RIP &&
                         cfa + (uint64_t)rule->offset < rsp;
        if (!is_popped && !apply_rule(table, rule, cfa, memory, registers, &caller.values[i])) {
            return CALL_FRAME_UNKNOWN;
        }
    }
    *registers = caller;
    *is_signal_ret = fde.cie.is_signal;
    return CALL_FRAME_CALLER;
}

// SPDX-License-Identifier: Apache-2.0
#include "unwind/cfi_row.h"

enum { CFI_MAX_REMEMBERED = 8 };

struct cfi_machine {
    struct cfi_cursor cursor;
    const struct cfi_cie *cie;
    uint64_t location;
    struct cfi_row row;
    struct cfi_row initial;
    struct cfi_row remembered[CFI_MAX_REMEMBERED];
    uint32_t remembered_cnt;
};

static void set_rule(struct cfi_machine *machine, uint64_t number, struct cfi_rule rule)
{
    if (number < CFI_REGISTER_CNT) {
        machine->row.rules[number] = rule;
    }
}

static void advance(struct cfi_machine *machine, uint64_t delta)
{
    machine->location += delta * machine->cie->code_alignment;
}

static void restore(struct cfi_machine *machine, uint64_t number)
{
    if (number < CFI_REGISTER_CNT) {
        machine->row.rules[number] = machine->initial.rules[number];
    }
}

static void remember(struct cfi_machine *machine)
{
    if (machine->remembered_cnt == CFI_MAX_REMEMBERED) {
        machine->cursor.ok = false;
        return;
    }
    machine->remembered[machine->remembered_cnt++] = machine->row;
}

static void recall(struct cfi_machine *machine)
{
    if (machine->remembered_cnt == 0) {
        machine->cursor.ok = false;
        return;
    }
    machine->row = machine->remembered[--machine->remembered_cnt];
}

static void define_cfa(struct cfi_machine *machine, uint64_t number, int64_t offset)
{
    machine->row.cfa_is_expression = false;
    machine->row.cfa_register = number;
    machine->row.cfa_offset = offset;
}

// Those about the CFA.
static bool run_cfa_instruction(struct cfi_machine *machine, uint8_t op)
{
    struct cfi_cursor *cursor = &machine->cursor;
    int64_t factor = machine->cie->data_alignment;
    uint64_t number;
    switch (op) {
    case 0x0C: // def_cfa
        number = cfi_take_uleb(cursor);
        define_cfa(machine, number, (int64_t)cfi_take_uleb(cursor));
        return true;
    case 0x12: // def_cfa_sf
        number = cfi_take_uleb(cursor);
        define_cfa(machine, number, (int64_t)((uint64_t)cfi_take_sleb(cursor) * (uint64_t)factor));
        return true;
    case 0x0D: // def_cfa_register
        define_cfa(machine, cfi_take_uleb(cursor), machine->row.cfa_offset);
        return true;
    case 0x0E: // def_cfa_offset
        define_cfa(machine, machine->row.cfa_register, (int64_t)cfi_take_uleb(cursor));
        return true;
    case 0x13: // def_cfa_offset_sf
        define_cfa(machine, machine->row.cfa_register,
                   (int64_t)((uint64_t)cfi_take_sleb(cursor) * (uint64_t)factor));
        return true;
    case 0x0F: // def_cfa_expression
        machine->row.cfa_is_expression = true;
        machine->row.cfa_expression = cfi_skip_block(cursor);
        return true;
    default:
        return false;
    }
}

static struct cfi_rule offset_rule(const struct cfi_machine *machine, enum cfi_rule_kind kind,
                                   uint64_t factored)
{
    uint64_t factor = (uint64_t)machine->cie->data_alignment;
    return (struct cfi_rule){.kind = kind, .offset = (int64_t)(factored * factor)};
}

// Those about one register.
static bool run_register_instruction(struct cfi_machine *machine, uint8_t op)
{
    struct cfi_cursor *cursor = &machine->cursor;
    uint64_t number = cfi_take_uleb(cursor);
    switch (op) {
    case 0x05: // offset_extended
        set_rule(machine, number, offset_rule(machine, CFI_RULE_AT_CFA, cfi_take_uleb(cursor)));
        return true;
    case 0x11: // offset_extended_sf
        set_rule(machine, number,
                 offset_rule(machine, CFI_RULE_AT_CFA, (uint64_t)cfi_take_sleb(cursor)));
        return true;
    case 0x14: // val_offset
        set_rule(machine, number, offset_rule(machine, CFI_RULE_IS_CFA, cfi_take_uleb(cursor)));
        return true;
    case 0x15: // val_offset_sf
        set_rule(machine, number,
                 offset_rule(machine, CFI_RULE_IS_CFA, (uint64_t)cfi_take_sleb(cursor)));
        return true;
    case 0x06: // restore_extended
        restore(machine, number);
        return true;
    case 0x07: // undefined
        set_rule(machine, number, (struct cfi_rule){.kind = CFI_RULE_UNDEFINED});
        return true;
    case 0x08: // same_value
        set_rule(machine, number, (struct cfi_rule){.kind = CFI_RULE_SAME});
        return true;
    case 0x09: // register
        set_rule(
            machine, number,
            (struct cfi_rule){.kind = CFI_RULE_REGISTER, .offset = (int64_t)cfi_take_uleb(cursor)});
        return true;
    case 0x10: // expression
    case 0x16: // val_expression
        set_rule(
            machine, number,
            (struct cfi_rule){.kind = op == 0x10 ? CFI_RULE_EXPRESSION : CFI_RULE_IS_EXPRESSION,
                              .expression = cfi_skip_block(cursor)});
        return true;
    default:
        return false;
    }
}

static void run_plain_instruction(struct cfi_machine *machine, uint8_t op)
{
    struct cfi_cursor *cursor = &machine->cursor;
    switch (op) {
    case 0x00: // nop
        break;
    case 0x01: // set_loc
        machine->location = cfi_take_pointer(cursor, machine->cie->pointer_encoding);
        break;
    case 0x02: // advance_loc1
        advance(machine, cfi_take_bytes(cursor, 1));
        break;
    case 0x03: // advance_loc2
        advance(machine, cfi_take_bytes(cursor, 2));
        break;
    case 0x04: // advance_loc4
        advance(machine, cfi_take_bytes(cursor, 4));
        break;
    case 0x0A:
        remember(machine);
        break;
    case 0x0B:
        recall(machine);
        break;
    case 0x2E: // GNU_args_size
        (void)cfi_take_uleb(cursor);
        break;
    default:
        if (!run_cfa_instruction(machine, op) && !run_register_instruction(machine, op)) {
            cursor->ok = false;
        }
    }
}

// One instruction. The upper two bits are the opcode of the three most frequent.
static void run_instruction(struct cfi_machine *machine)
{
    uint8_t op = cfi_take_u8(&machine->cursor);
    uint8_t low = op & 0x3F;
    switch (op >> 6) {
    case 1:
        advance(machine, low);
        break;
    case 2:
        set_rule(machine, low,
                 offset_rule(machine, CFI_RULE_AT_CFA, cfi_take_uleb(&machine->cursor)));
        break;
    case 3:
        restore(machine, low);
        break;
    default:
        run_plain_instruction(machine, op);
    }
}

static void machine_init(struct cfi_machine *machine, const struct cfi_section *section,
                         const struct cfi_fde *fde)
{
    machine->cursor = (struct cfi_cursor){section, fde->cie.instructions, fde->cie.end, true};
    machine->cie = &fde->cie;
    machine->location = fde->start;
    machine->row = (struct cfi_row){.cfa_register = CFI_REGISTER_CNT};
    machine->initial = machine->row; // what a `restore` of the CIE itself leads to
    machine->remembered_cnt = 0;
}

// What every function of the CIE begins with.
static bool run_cie(struct cfi_machine *machine, const struct cfi_fde *fde)
{
    while (machine->cursor.ok && machine->cursor.at < machine->cursor.end) {
        run_instruction(machine);
    }
    machine->initial = machine->row;
    machine->location = fde->start;
    machine->cursor.at = fde->instructions;
    machine->cursor.end = fde->instructions_end;
    return machine->cursor.ok;
}

bool cfi_each_row(const struct cfi_section *section, const struct cfi_fde *fde,
                  cfi_row_visitor visit, void *context)
{
    struct cfi_machine machine; // large: only what is used is set
    machine_init(&machine, section, fde);
    if (!run_cie(&machine, fde)) {
        return false;
    }
    uint64_t start = fde->start;
    while (machine.cursor.ok && machine.cursor.at < machine.cursor.end) {
        run_instruction(&machine); // moves on or changes the row, never both
        if (machine.location > start && machine.cursor.ok) {
            uint64_t end = machine.location < fde->end ? machine.location : fde->end;
            if (start < end && !visit(context, start, end, &machine.row)) {
                return true;
            }
            start = machine.location;
        }
    }
    if (machine.cursor.ok && start < fde->end) {
        (void)visit(context, start, fde->end, &machine.row);
    }
    return machine.cursor.ok;
}

struct search {
    uint64_t pc;
    bool found;
    struct cfi_row *row;
};

static bool take_if_at(void *context, uint64_t start, uint64_t end, const struct cfi_row *row)
{
    struct search *search = context;
    if (search->pc < start || search->pc >= end) {
        return true;
    }
    *search->row = *row;
    search->found = true;
    return false;
}

bool cfi_find_row(const struct cfi_section *section, const struct cfi_fde *fde, uint64_t pc,
                  struct cfi_row *row_ret)
{
    struct search search = {.pc = pc, .row = row_ret};
    return cfi_each_row(section, fde, take_if_at, &search) && search.found;
}

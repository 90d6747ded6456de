// SPDX-License-Identifier: Apache-2.0
#include "unwind/function_rules.h"

#include <string.h>

enum { MAX_REMEMBERED = 8 };

// Registers whose place is of interest, by their number in function_state.
enum { SAVED_FP, SAVED_R13, SAVED_RETURN, SAVED_RBX, NOT_SAVED };

// Instructions; what is taken behind their end is 0, and not ok.
struct program {
    const unsigned char *at;
    const unsigned char *end;
    bool ok;
};

struct machine {
    struct function_rules *rules;
    struct program program;
    const struct cfi_cie *cie;
    uint64_t location;
    uint64_t start; // where the current row begins
    struct function_state state;
    struct function_state remembered[MAX_REMEMBERED];
    uint32_t remembered_cnt;
};

static unsigned slot_of(uint64_t number)
{
    switch (number) {
    case FRAME_REGISTER_RBP:
        return SAVED_FP;
    case 13:
        return SAVED_R13;
    case FRAME_REGISTER_RIP:
        return SAVED_RETURN;
    case FRAME_REGISTER_RBX:
        return SAVED_RBX;
    default:
        return NOT_SAVED;
    }
}

// ---- bytes ----------------------------------------------------------------------------

static struct program program_of(const struct cfi_section *section, size_t at, size_t end)
{
    return (struct program){section->bytes + at, section->bytes + end, true};
}

static uint32_t take(struct program *program, size_t cnt)
{
    uint32_t value = 0;
    if (cnt > (size_t)(program->end - program->at)) {
        program->ok = false;
        return 0;
    }
    memcpy(&value, program->at, cnt);
    program->at += cnt;
    return value;
}

// Of four bytes at most: what is longer is not short.
static uint32_t take_uleb(struct program *program)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 28 && program->at < program->end; shift += 7) {
        uint8_t byte = *program->at++;
        value |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    program->ok = false;
    return 0;
}

// ---- rows -----------------------------------------------------------------------------

static struct frame_rule rule_of(const struct function_state *state)
{
    if (state->cfa == FRAME_CFA_NONE) {
        return (struct frame_rule){.cfa = FRAME_CFA_NONE};
    }
    return (struct frame_rule){
        .cfa_offset = state->cfa_offset,
        .cfa = state->cfa,
        .fp = (state->saved >> SAVED_FP & 1) != 0 ? FRAME_FP_AT_CFA : FRAME_FP_SAME,
        .fp_offset = state->offsets[SAVED_FP],
        .r13_offset = state->offsets[SAVED_R13],
        .return_offset = state->offsets[SAVED_RETURN],
        .rbx_offset = state->offsets[SAVED_RBX],
    };
}

// That from `start` on the state holds.
static bool add_row(struct machine *machine, uint64_t end)
{
    struct function_rules *rules = machine->rules;
    if (machine->start >= end) {
        return true;
    }
    if (rules->row_cnt == FUNCTION_RULES_MAX_ROWS ||
        (machine->state.saved >> SAVED_RETURN & 1) == 0) {
        return false;
    }
    rules->rows[rules->row_cnt++] = (struct function_row){machine->start, rule_of(&machine->state)};
    return true;
}

static bool advance(struct machine *machine, uint64_t delta, uint64_t end)
{
    uint64_t location = machine->location + delta * machine->cie->code_alignment;
    if (location < machine->location) {
        return false;
    }
    if (location > machine->location && !add_row(machine, end)) {
        return false;
    }
    machine->location = machine->start = location;
    return true;
}

// ---- instructions ---------------------------------------------------------------------

static bool define_cfa(struct machine *machine, enum frame_cfa cfa, uint32_t offset)
{
    machine->state.cfa = (uint8_t)cfa;
    machine->state.cfa_offset = (int32_t)offset;
    return true;
}

static bool save(struct machine *machine, uint64_t number, uint64_t factored)
{
    int64_t offset = (int64_t)(factored * (uint64_t)machine->cie->data_alignment);
    unsigned slot = slot_of(number);
    if (slot == NOT_SAVED) {
        return true;
    }
    machine->state.saved |= 1U << slot;
    machine->state.offsets[slot] = (int16_t)offset;
    return offset >= INT16_MIN && offset <= INT16_MAX;
}

static void restore(struct machine *machine, uint64_t number)
{
    const struct function_state *initial = &machine->rules->initial;
    unsigned slot = slot_of(number);
    if (slot != NOT_SAVED) {
        unsigned others = machine->state.saved & ~(1U << slot);
        machine->state.saved = (uint8_t)(others | (initial->saved & 1U << slot));
        machine->state.offsets[slot] = initial->offsets[slot];
    }
}

static bool remember(struct machine *machine)
{
    if (machine->remembered_cnt == MAX_REMEMBERED) {
        return false;
    }
    machine->remembered[machine->remembered_cnt++] = machine->state;
    return true;
}

static bool recall(struct machine *machine)
{
    if (machine->remembered_cnt == 0) {
        return false;
    }
    machine->state = machine->remembered[--machine->remembered_cnt];
    return true;
}

static bool run_plain(struct machine *machine, uint8_t op, uint64_t end)
{
    struct program *program = &machine->program;
    uint64_t number;
    switch (op) {
    case 0x00: // nop
        return true;
    case 0x02: // advance_loc1
        return advance(machine, take(program, 1), end);
    case 0x03: // advance_loc2
        return advance(machine, take(program, 2), end);
    case 0x04: // advance_loc4
        return advance(machine, take(program, 4), end);
    case 0x0A:
        return remember(machine);
    case 0x0B:
        return recall(machine);
    case 0x0C: // def_cfa
        number = take_uleb(program);
        return define_cfa(machine, frame_cfa_of_register(number), take_uleb(program));
    case 0x0D: // def_cfa_register
        machine->state.cfa = (uint8_t)frame_cfa_of_register(take_uleb(program));
        return true;
    case 0x0E: // def_cfa_offset
        return define_cfa(machine, machine->state.cfa, take_uleb(program));
    case 0x2E: // GNU_args_size
        (void)take_uleb(program);
        return true;
    default:
        return false;
    }
}

// Up to the end of the instructions; rows end at `end`.
static bool run(struct machine *machine, uint64_t end)
{
    bool ok = true;
    struct program *program = &machine->program;
    while (ok && program->at < program->end) {
        uint8_t op = *program->at++;
        switch (op >> 6) {
        case 1:
            ok = advance(machine, op & 0x3F, end);
            break;
        case 2:
            ok = save(machine, op & 0x3F, take_uleb(program));
            break;
        case 3:
            restore(machine, op & 0x3F);
            break;
        default:
            ok = run_plain(machine, op, end);
        }
    }
    return ok && program->ok;
}

// ---- entries --------------------------------------------------------------------------

void function_rules_init(struct function_rules *rules)
{
    rules->row_cnt = 0;
    rules->cie_end = 0;
}

// What every function of the CIE begins with.
static bool read_cie(struct function_rules *rules, const struct cfi_section *section,
                     const struct cfi_cie *cie)
{
    struct machine machine = {
        .rules = rules,
        .program = program_of(section, cie->instructions, cie->end),
        .cie = cie,
    };
    rules->initial = (struct function_state){.cfa = FRAME_CFA_NONE};
    rules->cie_end = cie->end;
    rules->is_cie_short = !cie->is_signal && run(&machine, 0);
    rules->initial = machine.state;
    return rules->is_cie_short;
}

bool function_rules_read(struct function_rules *rules, const struct cfi_section *section,
                         const struct cfi_fde *fde)
{
    bool is_cie_short = rules->cie_end == fde->cie.end && rules->cie_end != 0
                            ? rules->is_cie_short
                            : read_cie(rules, section, &fde->cie);
    if (!is_cie_short) {
        return false;
    }
    struct machine machine; // what is remembered is set when it is used
    machine.rules = rules;
    machine.program = program_of(section, fde->instructions, fde->instructions_end);
    machine.cie = &fde->cie;
    machine.location = machine.start = fde->start;
    machine.state = rules->initial;
    machine.remembered_cnt = 0;
    rules->row_cnt = 0;
    return run(&machine, fde->end) && add_row(&machine, fde->end);
}

// SPDX-License-Identifier: Apache-2.0
#include "unwind/frame_rule.h"

#include "unwind/function_rules.h"

#include <string.h>

_Static_assert(sizeof(struct frame_rule) == 16, "padding nobody declared");

// Functions stand apart by padding; what is longer is code that nobody describes.
enum { MAX_PADDING_BYTES = 15 };

enum { DWARF_RAX = 0, DWARF_RBX = 3, DWARF_R10 = 10, DWARF_R11 = 11, DWARF_R13 = 13 };

// ---- a row made small -----------------------------------------------------------------

static bool fits(int64_t value)
{
    return value >= INT16_MIN && value <= INT16_MAX;
}

enum frame_cfa frame_cfa_of_register(uint64_t number)
{
    switch (number) {
    case FRAME_REGISTER_RSP:
        return FRAME_CFA_SP;
    case FRAME_REGISTER_RBP:
        return FRAME_CFA_FP;
    case DWARF_R10:
        return FRAME_CFA_R10;
    case DWARF_RAX:
        return FRAME_CFA_RAX;
    case DWARF_R11:
        return FRAME_CFA_R11;
    case DWARF_RBX:
        return FRAME_CFA_RBX;
    default:
        return FRAME_CFA_NONE;
    }
}

// breg7 8; breg16 0; lit15; and; litN; ge; lit3; shl; plus: linkers write no other.
static bool is_plt(const unsigned char *block, size_t len)
{
    static const unsigned char HEAD[] = {0x77, 8, 0x80, 0, 0x3F, 0x1A};
    static const unsigned char TAIL[] = {0x2A, 0x33, 0x24, 0x22};
    return len == 11 && memcmp(block, HEAD, sizeof HEAD) == 0 && block[6] >= 0x30 &&
           block[6] <= 0x3F && memcmp(block + 7, TAIL, sizeof TAIL) == 0;
}

static struct cfi_cursor open_block(const struct cfi_section *section, size_t block)
{
    struct cfi_cursor cursor = {section, block, section->len, block <= section->len};
    uint64_t len = cfi_take_uleb(&cursor);
    cursor.ok = cursor.ok && len <= cursor.end - cursor.at;
    cursor.end = cursor.ok ? cursor.at + len : cursor.at;
    return cursor;
}

// breg7 or breg6 N; deref; optionally plus_uconst M
static bool take_deref(struct cfi_cursor *cursor, struct frame_rule *rule)
{
    uint8_t base = cfi_take_u8(cursor);
    int64_t offset = cfi_take_sleb(cursor);
    bool ok = (base == 0x76 || base == 0x77) && cfi_take_u8(cursor) == 0x06 && fits(offset);
    uint64_t add = 0;
    if (cursor->ok && cursor->at < cursor->end) {
        ok = cfi_take_u8(cursor) == 0x23 && ok;
        add = cfi_take_uleb(cursor);
    }
    if (!ok || !cursor->ok || cursor->at != cursor->end || add > INT16_MAX) {
        return false;
    }
    rule->cfa = base == 0x76 ? FRAME_CFA_DEREF_FP : FRAME_CFA_DEREF_SP;
    rule->cfa_offset = (int32_t)offset;
    rule->deref_add = (int16_t)add;
    return true;
}

static void set_cfa_expression(const struct cfi_section *section, size_t block,
                               struct frame_rule *rule)
{
    struct cfi_cursor cursor = open_block(section, block);
    const unsigned char *bytes = section->bytes + cursor.at;
    if (cursor.ok && is_plt(bytes, cursor.end - cursor.at)) {
        rule->cfa = FRAME_CFA_PLT;
        rule->cfa_offset = bytes[6] - 0x30;
    } else if (!take_deref(&cursor, rule)) {
        rule->cfa = FRAME_CFA_NONE;
    }
}

static void set_cfa(const struct cfi_section *section, const struct cfi_row *row,
                    struct frame_rule *rule)
{
    if (row->cfa_is_expression) {
        set_cfa_expression(section, row->cfa_expression, rule);
    } else if (row->cfa_offset >= INT32_MIN && row->cfa_offset <= INT32_MAX) {
        rule->cfa = frame_cfa_of_register(row->cfa_register);
        rule->cfa_offset = (int32_t)row->cfa_offset;
    }
}

static void set_fp(const struct cfi_section *section, const struct cfi_rule *saved,
                   struct frame_rule *rule)
{
    int64_t offset = saved->offset;
    rule->fp = FRAME_FP_UNKNOWN;
    if (saved->kind == CFI_RULE_SAME) {
        rule->fp = FRAME_FP_SAME;
    } else if (saved->kind == CFI_RULE_AT_CFA && fits(offset)) {
        rule->fp = FRAME_FP_AT_CFA;
        rule->fp_offset = (int16_t)offset;
    } else if (saved->kind == CFI_RULE_EXPRESSION) {
        struct cfi_cursor cursor = open_block(section, saved->expression);
        bool by_fp = cfi_take_u8(&cursor) == 0x76;
        offset = cfi_take_sleb(&cursor);
        if (by_fp && cursor.ok && cursor.at == cursor.end && fits(offset)) {
            rule->fp = FRAME_FP_AT_FP;
            rule->fp_offset = (int16_t)offset;
        }
    }
}

// 0: it is kept, or lost.
static int16_t saved_at_cfa(const struct cfi_row *row, int number)
{
    const struct cfi_rule *saved = &row->rules[number];
    return saved->kind == CFI_RULE_AT_CFA && fits(saved->offset) ? (int16_t)saved->offset : 0;
}

struct frame_rule frame_rule_of_row(const struct cfi_section *section, const struct cfi_row *row,
                                    bool is_signal)
{
    const struct cfi_rule *back = &row->rules[FRAME_REGISTER_RIP];
    if (is_signal) {
        return (struct frame_rule){.cfa = FRAME_CFA_SIGNAL};
    }
    if (back->kind == CFI_RULE_UNDEFINED) {
        return (struct frame_rule){.cfa = FRAME_CFA_END};
    }
    struct frame_rule rule = {.cfa = FRAME_CFA_NONE};
    if (back->kind == CFI_RULE_AT_CFA && fits(back->offset)) {
        set_cfa(section, row, &rule);
    }
    if (rule.cfa == FRAME_CFA_NONE) {
        return (struct frame_rule){.cfa = FRAME_CFA_NONE};
    }
    set_fp(section, &row->rules[FRAME_REGISTER_RBP], &rule);
    rule.return_offset = (int16_t)back->offset;
    rule.r13_offset = saved_at_cfa(row, DWARF_R13);
    rule.rbx_offset = saved_at_cfa(row, DWARF_RBX);
    return rule;
}

// ---- all rows of an object ------------------------------------------------------------

struct row_walk {
    const struct cfi_section *section;
    const struct cfi_fde *fde;
    frame_rule_visitor visit;
    void *context;
    struct frame_rule last;
    uint64_t end; // of what was visited
    bool goes_on;
};

static void emit(struct row_walk *walk, uint64_t pc, const struct frame_rule *rule)
{
    if (walk->goes_on && memcmp(&walk->last, rule, sizeof *rule) != 0) {
        walk->last = *rule;
        walk->goes_on = walk->visit(walk->context, pc, rule);
    }
}

static void emit_gap(struct row_walk *walk, uint64_t until)
{
    const struct frame_rule none = {.cfa = FRAME_CFA_NONE};
    if (until - walk->end > MAX_PADDING_BYTES) {
        emit(walk, walk->end, &none);
    }
}

static bool take_row(void *context, uint64_t start, uint64_t end, const struct cfi_row *row)
{
    struct row_walk *walk = context;
    struct frame_rule rule = frame_rule_of_row(walk->section, row, walk->fde->cie.is_signal);
    emit(walk, start, &rule);
    walk->end = end;
    return walk->goes_on;
}

static void emit_stub(struct row_walk *walk, const struct call_frame_stub *stub)
{
    struct frame_rule rule = {
        .cfa = FRAME_CFA_SP, .cfa_offset = 8, .fp = FRAME_FP_SAME, .return_offset = -8};
    emit_gap(walk, stub->start);
    emit(walk, stub->start, &rule);
    rule.cfa_offset = 16;
    emit(walk, stub->body, &rule);
    rule.cfa_offset = 8;
    emit(walk, stub->end - 1, &rule);
    walk->end = stub->end;
}

// Those between what was visited and `until`.
static void emit_stubs(struct row_walk *walk, const struct call_frame_table *table, uint64_t until)
{
    for (uint32_t i = 0; i < table->stub_cnt; i++) {
        if (table->stubs[i].start >= walk->end && table->stubs[i].end <= until) {
            emit_stub(walk, &table->stubs[i]);
        }
    }
}

// Mostly the short way.
static bool take_function(struct row_walk *walk, struct function_rules *rules)
{
    if (!function_rules_read(rules, walk->section, walk->fde)) {
        return cfi_each_row(walk->section, walk->fde, take_row, walk);
    }
    for (uint32_t i = 0; i < rules->row_cnt; i++) {
        emit(walk, rules->rows[i].start, &rules->rows[i].rule);
    }
    walk->end = walk->fde->end;
    return true;
}

uint32_t frame_rule_each(const struct call_frame_table *table, frame_rule_visitor visit,
                         void *context)
{
    struct cfi_fde fde = {.start = 0};
    uint32_t malformed_cnt = 0;
    struct function_rules rules; // large: only what is used is set
    function_rules_init(&rules);
    struct row_walk walk = {
        .section = &table->section,
        .fde = &fde,
        .visit = visit,
        .context = context,
        .last = {.cfa = FRAME_CFA_CNT}, // equal to none
        .end = call_frame_table_start(table),
        .goes_on = true,
    };
    for (uint32_t i = 0; i < table->function_cnt && walk.goes_on; i++) {
        const struct call_frame_function *function = &table->functions[i];
        if (function->start < walk.end || !cfi_parse_fde(&table->section, function->entry, &fde) ||
            fde.start != function->start) {
            continue; // overlaps the one before, or is not what an index says
        }
        emit_stubs(&walk, table, function->start);
        emit_gap(&walk, function->start);
        walk.end = function->start;
        malformed_cnt += take_function(&walk, &rules) ? 0 : 1;
    }
    emit_stubs(&walk, table, UINT64_MAX);
    const struct frame_rule none = {.cfa = FRAME_CFA_NONE};
    emit(&walk, walk.end, &none);
    return malformed_cnt;
}

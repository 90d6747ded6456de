// SPDX-License-Identifier: Apache-2.0
#include "unwind/frame_rule.h"

#include <string.h>

_Static_assert(sizeof(struct frame_rule) == 16, "padding nobody declared");

enum { DWARF_RAX = 0, DWARF_RBX = 3, DWARF_R10 = 10, DWARF_R11 = 11, DWARF_R13 = 13 };

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

// SPDX-License-Identifier: Apache-2.0
#include "unwind/object_rules.h"

#include "unwind/function_rules.h"
#include "unwind/go_rules.h"

#include <string.h>

// Functions stand apart by padding; what is longer is code that nobody describes.
enum { MAX_PADDING_BYTES = 15 };

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

static bool take_go_row(void *context, uint64_t pc, const struct frame_rule *rule)
{
    struct row_walk *walk = context;
    emit(walk, pc, rule);
    return walk->goes_on;
}

// What is between what was visited and `until` and has no entry.
static void emit_others(struct row_walk *walk, const struct call_frame_table *table, uint64_t until)
{
    if (table->go != NULL && table->go_start >= walk->end && table->go_end <= until) {
        emit_stubs(walk, table, table->go_start);
        emit_gap(walk, table->go_start);
        go_rules_each(table->go, take_go_row, walk);
        walk->end = table->go_end;
    }
    emit_stubs(walk, table, until);
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

uint32_t object_rules_each(const struct call_frame_table *table, frame_rule_visitor visit,
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
        emit_others(&walk, table, function->start);
        emit_gap(&walk, function->start);
        walk.end = function->start;
        malformed_cnt += take_function(&walk, &rules) ? 0 : 1;
    }
    emit_others(&walk, table, UINT64_MAX);
    const struct frame_rule none = {.cfa = FRAME_CFA_NONE};
    emit(&walk, walk.end, &none);
    return malformed_cnt;
}

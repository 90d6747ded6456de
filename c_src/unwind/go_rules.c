// SPDX-License-Identifier: Apache-2.0
#include "unwind/go_rules.h"

#include <string.h>

enum { MAX_DEPTH_BYTES = 1 << 24, MAX_FUNCTION_STEPS = 1 << 16, MAX_STEPS = 1 << 24 };

// The kernel returns to a signal handler's caller, which is nobody's top.
static bool is_top(const struct go_table *table, const struct go_function *function)
{
    return (function->flags & GO_FUNCTION_TOP) != 0 &&
           !go_table_is_named(table, function, "runtime.sigtramp");
}

static bool returns_from_signal(const struct go_table *table, const struct go_function *function)
{
    return go_table_is_named(table, function, "runtime.sigreturn__sigaction") ||
           go_table_is_named(table, function, "runtime.sigreturn"); // up to Go 1.19
}

// What holds all over a function; FRAME_CFA_CNT: its steps say.
static enum frame_cfa cfa_of(const struct go_table *table, const struct go_function *function)
{
    if (returns_from_signal(table, function)) {
        return FRAME_CFA_SIGNAL;
    }
    if (is_top(table, function)) {
        return FRAME_CFA_END;
    }
    return (function->flags & GO_FUNCTION_SP_WRITE) != 0 ? FRAME_CFA_OTHER_STACK : FRAME_CFA_CNT;
}

// A function with a frame saves its caller's rbp at once, below the return address.
static struct frame_rule rule_of(int32_t depth_bytes)
{
    struct frame_rule rule = {.cfa = FRAME_CFA_NONE};
    if (depth_bytes < 0 || depth_bytes > MAX_DEPTH_BYTES) {
        return rule;
    }
    rule.cfa = FRAME_CFA_SP;
    rule.cfa_offset = depth_bytes + 8;
    rule.return_offset = -8;
    if (depth_bytes > 0) {
        rule.fp = FRAME_FP_AT_CFA;
        rule.fp_offset = -16;
    }
    return rule;
}

// Counts them; of more than any real function has the rest is as the last one.
static bool visit_steps(const struct go_table *table, const struct go_function *function,
                        frame_rule_visitor visit, void *context, uint32_t *step_cnt)
{
    struct go_steps steps;
    struct go_step step;
    struct frame_rule rule = {.cfa = FRAME_CFA_NONE};
    uint32_t cnt = 0;
    go_steps_begin(&steps, table, function, GO_STEP_DEPTH);
    for (; cnt < MAX_FUNCTION_STEPS && go_steps_next(&steps, &step); cnt++) {
        rule = rule_of(step.value);
        if (!visit(context, step.start, &rule)) {
            return false;
        }
    }
    *step_cnt += cnt;
    return cnt > 0 || visit(context, function->start, &rule);
}

void go_rules_each(const struct go_table *table, frame_rule_visitor visit, void *context)
{
    struct go_function function;
    uint64_t end = 0;
    uint32_t step_cnt = 0;
    bool goes_on = true;
    for (uint32_t i = 0; i < table->function_cnt && step_cnt < MAX_STEPS && goes_on; i++) {
        if (!go_table_function(table, i, &function) || function.start < end) {
            continue;
        }
        struct frame_rule rule = {.cfa = (uint8_t)cfa_of(table, &function)};
        // What is returned to is looked up by the byte before it, and that begins there.
        uint64_t start = function.start - (rule.cfa == FRAME_CFA_SIGNAL && end > 0 ? 1 : 0);
        goes_on = rule.cfa == FRAME_CFA_CNT
                      ? visit_steps(table, &function, visit, context, &step_cnt)
                      : visit(context, start, &rule);
        end = function.end;
    }
}

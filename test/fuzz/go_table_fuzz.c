// SPDX-License-Identifier: Apache-2.0
// Any bytes as Go's table of functions: reading ends, touches nothing outside, rules
// rise, and lines are found with names.
#include "symbols/system/source_lines.h"
#include "unwind/go_rules.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FUNCTIONS = 64, MAX_STEPS = 1 << 16 };

static void read_path(const struct go_table *table, const struct go_function *function,
                      int32_t file)
{
    struct text path;
    if (go_table_path(table, function, file, &path) && strlen(path.bytes) != path.len) {
        abort();
    }
}

static void read_steps(const struct go_table *table, const struct go_function *function,
                       enum go_step_kind kind)
{
    struct go_steps steps;
    struct go_step step = {.start = 0};
    uint64_t end = function->start;
    int step_cnt = 0;
    go_steps_begin(&steps, table, function, kind);
    while (step_cnt++ < MAX_STEPS && go_steps_next(&steps, &step)) {
        if (step.start != end || step.end <= step.start || step.end > function->end) {
            abort();
        }
        read_path(table, function, step.value);
        end = step.end;
    }
}

static void read_function(const struct go_table *table, uint32_t i)
{
    struct go_function function;
    if (!go_table_function(table, i, &function)) {
        return;
    }
    struct text name = go_table_name(table, &function);
    if (function.end <= function.start || memchr(name.bytes, '\0', name.len) != NULL ||
        (name.len < GO_TABLE_MAX_NAME_BYTES && strlen(name.bytes) != name.len)) {
        abort();
    }
    for (int kind = 0; kind < GO_STEP_KIND_CNT; kind++) {
        read_steps(table, &function, (enum go_step_kind)kind);
    }
}

static void look(const struct source_lines *lines, uint64_t address)
{
    struct text file;
    uint32_t line = 0;
    if (source_lines_find(lines, address, &file, &line) &&
        (line == 0 || file.len == 0 || strlen(file.bytes) != file.len)) {
        abort();
    }
}

static void read_lines(const struct go_table *table)
{
    struct source_lines *lines = source_lines_of_go(table);
    struct go_function function;
    for (uint32_t i = 0; lines != NULL && i < table->function_cnt && i < MAX_FUNCTIONS; i++) {
        if (go_table_function(table, i, &function)) {
            look(lines, function.start);
            look(lines, function.start + (function.end - function.start) / 2);
            look(lines, function.end - 1);
        }
    }
    source_lines_destroy(lines);
}

static bool rises(void *context, uint64_t pc, const struct frame_rule *rule)
{
    uint64_t *last = context;
    if (pc < *last || rule->cfa >= FRAME_CFA_CNT) {
        abort();
    }
    *last = pc;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct go_table table;
    if (!go_table_open(&table, bytes, size)) {
        return 0;
    }
    table.text = go_table_text(&table);
    struct text names = go_table_names(&table);
    if (names.bytes[names.len] != '\0') {
        abort();
    }
    for (uint32_t i = 0; i < table.function_cnt && i < MAX_FUNCTIONS; i++) {
        read_function(&table, i);
    }
    uint64_t last = 0;
    go_rules_each(&table, rises, &last);
    read_lines(&table);
    return 0;
}

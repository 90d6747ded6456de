// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/go_lines.h"

// A real table has a place for every 9 to 14 of its bytes.
enum { MAX_PLACES = 1 << 22, MIN_BYTES_PER_PLACE = 4 };

struct walk {
    const struct go_table *table;
    go_lines_take take;
    void *context;
    size_t left; // places
};

// Files and lines of one function, side by side.
struct places {
    const struct go_table *table;
    const struct go_function *function;
    struct go_steps files, lines;
    struct go_step file, line;
    struct text path; // of the file
};

static bool next_file(struct places *places)
{
    if (!go_steps_next(&places->files, &places->file)) {
        return false;
    }
    if (!go_table_path(places->table, places->function, places->file.value, &places->path)) {
        places->path = (struct text){"", 0};
    }
    return true;
}

static bool begin(struct places *places, const struct go_table *table,
                  const struct go_function *function)
{
    *places = (struct places){.table = table, .function = function};
    go_steps_begin(&places->files, table, function, GO_STEP_FILE);
    go_steps_begin(&places->lines, table, function, GO_STEP_LINE);
    return next_file(places) && go_steps_next(&places->lines, &places->line);
}

static uint64_t end_of_place(const struct places *places)
{
    return places->file.end < places->line.end ? places->file.end : places->line.end;
}

static bool advance(struct places *places)
{
    uint64_t at = end_of_place(places);
    return (places->file.end > at || next_file(places)) &&
           (places->line.end > at || go_steps_next(&places->lines, &places->line));
}

static bool take_function(struct walk *walk, const struct go_function *function)
{
    struct places places;
    struct go_line line = {.address = function->start};
    bool goes_on = begin(&places, walk->table, function);
    while (goes_on) {
        line.path = places.path;
        line.line = places.line.value > 0 ? (uint32_t)places.line.value : 0;
        if (walk->left-- == 0 || !walk->take(walk->context, &line)) {
            return false;
        }
        line.address = end_of_place(&places);
        goes_on = advance(&places);
    }
    line.ends = true;
    return line.address == function->start || walk->take(walk->context, &line);
}

void go_lines_each(const struct go_table *table, go_lines_take take, void *context)
{
    size_t most = table->len / MIN_BYTES_PER_PLACE;
    struct walk walk = {.table = table,
                        .take = take,
                        .context = context,
                        .left = most < MAX_PLACES ? most : MAX_PLACES};
    struct go_function function;
    uint64_t above = UINT64_MAX;
    bool goes_on = true;
    for (uint32_t i = table->function_cnt; i > 0 && goes_on; i--) {
        if (go_table_function(table, i - 1, &function) && function.end <= above) {
            goes_on = take_function(&walk, &function);
            above = function.start;
        }
    }
}

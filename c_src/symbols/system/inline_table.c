// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/inline_table.h"

#include "symbols/system/debug_ranges.h"
#include "symbols/system/grown_array.h"
#include "symbols/system/name_pool.h"

#include <stdlib.h>
#include <string.h>

enum {
    NONE = UINT32_MAX,
    MAX_RANGES = 1 << 21,
    MAX_OPEN = 128, // ranges in each other
    MAX_ORIGINS = 8,
};

// An inlined function, somewhere.
struct call {
    uint64_t function; // where the function begins that it is in
    uint32_t parent;   // the call that it is inlined into, or NONE
    uint32_t name;     // in the names, or NONE; while it is read: see `origins`
    uint32_t line;
};

// From here up to the next one.
struct segment {
    uint64_t start;
    uint32_t call; // the innermost, or NONE
};

struct inline_table {
    struct call *calls;
    uint32_t call_cnt, call_capacity;
    struct segment *segments; // by start
    uint32_t segment_cnt, segment_capacity;
    struct name_pool names;
};

struct range {
    uint64_t start;
    uint64_t end;
    uint32_t call;
};

// An entry of .debug_info that may be the origin of others.
struct function {
    uint64_t offset;
    uint64_t origin; // where it has no name itself; 0 = nowhere
    struct text name;
    uint32_t kept; // in the table's names, or NONE
};

// What the children of an entry are in.
struct scope {
    uint32_t call;
    uint64_t function;
};

struct reading {
    struct inline_table *table;
    struct debug_unit unit;
    struct range *ranges;
    uint32_t range_cnt, range_capacity;
    struct function *functions; // by offset
    uint32_t function_cnt, function_capacity;
    uint64_t *origins; // by call
    uint32_t origin_capacity;
    uint32_t call; // whose ranges are being read
    struct scope scopes[INLINE_TABLE_MAX_DEPTH];
    uint32_t depth;
};

// --- entries --------------------------------------------------------------------------------

static bool note_function(struct reading *reading, const struct debug_entry *entry)
{
    struct text name = debug_unit_text(&reading->unit, &entry->linkage_name);
    struct function function = {.offset = entry->offset, .kept = NONE};
    if (!debug_unit_reference(&reading->unit, &entry->origin, &function.origin)) {
        function.origin = 0;
    }
    function.name = name.len > 0 ? name : debug_unit_text(&reading->unit, &entry->name);
    if (function.name.len == 0 && function.origin == 0) {
        return true;
    }
    struct function *functions =
        grown_array(reading->functions, &reading->function_capacity, reading->function_cnt + 1,
                    INLINE_TABLE_MAX_FUNCTIONS, sizeof *functions);
    if (functions == NULL) {
        return false;
    }
    reading->functions = functions;
    reading->functions[reading->function_cnt++] = function;
    return true;
}

static bool take_range(void *context, uint64_t start, uint64_t end)
{
    struct reading *reading = context;
    struct range *ranges = grown_array(reading->ranges, &reading->range_capacity,
                                       reading->range_cnt + 1, MAX_RANGES, sizeof *ranges);
    if (ranges == NULL) {
        return false;
    }
    reading->ranges = ranges;
    reading->ranges[reading->range_cnt++] = (struct range){start, end, reading->call};
    return true;
}

static bool take_first(void *context, uint64_t start, uint64_t end)
{
    uint64_t *first = context;
    (void)end;
    *first = start;
    return false;
}

static uint64_t beginning_of(const struct reading *reading, const struct debug_entry *entry)
{
    uint64_t first = 0;
    (void)debug_ranges_read(&reading->unit, entry, take_first, &first);
    return first;
}

static bool note_call(struct reading *reading, const struct debug_entry *entry, struct scope *scope)
{
    struct inline_table *table = reading->table;
    uint64_t origin = 0;
    bool has_code = entry->low.form != 0 || entry->ranges.form != 0;
    if (!has_code || !debug_unit_reference(&reading->unit, &entry->origin, &origin)) {
        return true; // only a pattern, or of another file
    }
    struct call *calls = grown_array(table->calls, &table->call_capacity, table->call_cnt + 1,
                                     INLINE_TABLE_MAX_CALLS, sizeof *calls);
    table->calls = calls == NULL ? table->calls : calls;
    uint64_t *origins = grown_array(reading->origins, &reading->origin_capacity,
                                    table->call_cnt + 1, INLINE_TABLE_MAX_CALLS, sizeof *origins);
    reading->origins = origins == NULL ? reading->origins : origins;
    if (calls == NULL || origins == NULL) {
        return false;
    }
    reading->call = table->call_cnt++;
    reading->origins[reading->call] = origin;
    table->calls[reading->call] =
        (struct call){scope->function, scope->call, NONE, (uint32_t)entry->call_line.number};
    scope->call = reading->call;
    return debug_ranges_read(&reading->unit, entry, take_range, reading);
}

// False at a limit, which ends all.
static bool take_entry(struct reading *reading, const struct debug_entry *entry)
{
    struct scope scope = reading->scopes[reading->depth];
    bool ok = true;
    if (entry->tag == DEBUG_TAG_SUBPROGRAM) {
        scope = (struct scope){NONE, beginning_of(reading, entry)};
        ok = note_function(reading, entry);
    } else if (entry->tag == DEBUG_TAG_INLINED) {
        ok = note_call(reading, entry, &scope);
    }
    if (entry->has_children) {
        reading->depth++;
        ok = ok && reading->depth < INLINE_TABLE_MAX_DEPTH;
        reading->scopes[ok ? reading->depth : 0] = scope;
    }
    return ok;
}

static bool read_unit(struct reading *reading)
{
    struct debug_entry entry;
    reading->depth = 0;
    reading->scopes[0] = (struct scope){NONE, 0};
    while (debug_unit_next(&reading->unit, &entry)) {
        if (entry.tag != 0) {
            if (!take_entry(reading, &entry)) {
                return false;
            }
        } else if (reading->depth > 0) {
            reading->depth--;
        }
    }
    return true;
}

static void read_units(struct reading *reading)
{
    struct text info = reading->unit.sections->info;
    const unsigned char *bytes = (const unsigned char *)info.bytes;
    struct line_cursor cursor = {bytes, bytes + info.len, false};
    bool goes_on = true;
    while (goes_on && !cursor.has_failed && cursor.at < cursor.end &&
           reading->unit.read_cnt < DEBUG_UNIT_MAX_READ) {
        if (debug_unit_read(&reading->unit, &cursor)) {
            goes_on = read_unit(reading);
        }
    }
}

// --- names ----------------------------------------------------------------------------------

static struct function *function_at(const struct reading *reading, uint64_t offset)
{
    uint32_t low = 0;
    uint32_t high = reading->function_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (reading->functions[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there = low < reading->function_cnt && reading->functions[low].offset == offset;
    return is_there ? &reading->functions[low] : NULL;
}

// The function itself, or what it is a copy of.
static struct function *named_function(const struct reading *reading, uint64_t offset)
{
    struct function *function = function_at(reading, offset);
    for (int i = 0; i < MAX_ORIGINS && function != NULL && function->name.len == 0; i++) {
        function = function_at(reading, function->origin);
    }
    return function != NULL && function->name.len > 0 ? function : NULL;
}

static uint32_t keep_name(struct inline_table *table, struct text name)
{
    return name_pool_add(&table->names, name, INLINE_TABLE_MAX_NAMES_BYTES);
}

static void name_calls(struct reading *reading)
{
    struct inline_table *table = reading->table;
    for (uint32_t i = 0; i < table->call_cnt; i++) {
        struct function *function = named_function(reading, reading->origins[i]);
        if (function != NULL && function->kept == NONE) {
            function->kept = keep_name(table, function->name);
        }
        table->calls[i].name = function == NULL ? NONE : function->kept;
    }
}

// --- from ranges to segments ----------------------------------------------------------------

// Those around others first.
static int compare(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end > b->end ? -1 : 1;
    }
    return a->call < b->call ? -1 : a->call > b->call ? 1 : 0;
}

static bool add_segment(struct inline_table *table, uint64_t start, uint32_t call)
{
    struct segment *last =
        table->segment_cnt == 0 ? NULL : &table->segments[table->segment_cnt - 1];
    if (last != NULL && last->start == start) {
        last->call = call;
        return true;
    }
    struct segment *segments =
        grown_array(table->segments, &table->segment_capacity, table->segment_cnt + 1,
                    2 * MAX_RANGES, sizeof *segments);
    if (segments == NULL) {
        return false;
    }
    table->segments = segments;
    table->segments[table->segment_cnt++] = (struct segment){start, call};
    return true;
}

struct open_ranges {
    struct range ranges[MAX_OPEN];
    uint32_t cnt;
};

// What ends up to `until` gives way to what is around it.
static bool close_ranges(struct inline_table *table, struct open_ranges *open, uint64_t until)
{
    bool ok = true;
    while (ok && open->cnt > 0 && open->ranges[open->cnt - 1].end <= until) {
        uint64_t end = open->ranges[--open->cnt].end;
        ok = add_segment(table, end, open->cnt == 0 ? NONE : open->ranges[open->cnt - 1].call);
    }
    return ok;
}

// Ranges lie in each other; one that does not is cut where the one around it ends.
static bool make_segments(struct reading *reading)
{
    struct open_ranges open = {.cnt = 0};
    bool ok = true;
    qsort(reading->ranges, reading->range_cnt, sizeof *reading->ranges, compare);
    for (uint32_t i = 0; i < reading->range_cnt && ok; i++) {
        struct range range = reading->ranges[i];
        ok = close_ranges(reading->table, &open, range.start);
        if (open.cnt > 0 && open.ranges[open.cnt - 1].end < range.end) {
            range.end = open.ranges[open.cnt - 1].end;
        }
        if (ok && open.cnt < MAX_OPEN) {
            open.ranges[open.cnt++] = range;
            ok = add_segment(reading->table, range.start, range.call);
        }
    }
    return ok && close_ranges(reading->table, &open, UINT64_MAX);
}

// --- lifecycle ------------------------------------------------------------------------------

static bool make_table(struct reading *reading)
{
    read_units(reading);
    if (reading->range_cnt == 0 || !make_segments(reading)) {
        return false;
    }
    name_calls(reading);
    return true;
}

struct inline_table *inline_table_parse(const struct debug_sections *sections)
{
    struct inline_table *table = calloc(1, sizeof *table);
    struct reading *reading = calloc(1, sizeof *reading);
    bool ok = table != NULL && reading != NULL;
    if (ok) {
        reading->table = table;
        debug_unit_init(&reading->unit, sections);
        ok = make_table(reading);
        debug_unit_deinit(&reading->unit);
        free(reading->ranges);
        free(reading->functions);
        free(reading->origins);
    }
    free(reading);
    if (!ok) {
        inline_table_destroy(table);
        return NULL;
    }
    return table;
}

struct inline_table *inline_table_create(const struct elf_file *file, size_t *read_bytes)
{
    struct debug_sections sections;
    if (!debug_sections_load(&sections, file, INLINE_TABLE_MAX_SECTION_BYTES, read_bytes)) {
        return NULL;
    }
    struct inline_table *table = inline_table_parse(&sections);
    debug_sections_free(&sections);
    return table;
}

void inline_table_destroy(struct inline_table *table)
{
    if (table != NULL) {
        free(table->calls);
        free(table->segments);
        name_pool_deinit(&table->names);
    }
    free(table);
}

// --- lookup ---------------------------------------------------------------------------------

static uint32_t innermost(const struct inline_table *table, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = table->segment_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->segments[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NONE : table->segments[low - 1].call;
}

uint32_t inline_table_find(const struct inline_table *table, uint64_t address,
                           struct inlined_call *calls, uint32_t max)
{
    uint32_t cnt = 0;
    for (uint32_t i = innermost(table, address); i != NONE && cnt < max;
         i = table->calls[i].parent) { // which is always smaller
        const struct call *call = &table->calls[i];
        if (call->name != NONE) {
            calls[cnt++] = (struct inlined_call){name_pool_text(&table->names, call->name),
                                                 call->line, call->function};
        }
    }
    return cnt;
}

size_t inline_table_memory_bytes(const struct inline_table *table)
{
    return table == NULL
               ? 0
               : sizeof *table + table->call_capacity * sizeof *table->calls +
                     table->segment_capacity * sizeof *table->segments + table->names.capacity;
}

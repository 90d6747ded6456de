// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/source_lines.h"

#include "base/number_map.h"
#include "symbols/system/debug_sections.h"
#include "symbols/system/go_image.h"
#include "symbols/system/go_lines.h"
#include "symbols/system/grown_array.h"
#include "symbols/system/line_unit.h"
#include "symbols/system/name_pool.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_NAME_BYTES = 255,
    MAX_NAMES_BYTES = 4 << 20,
    MAX_SEQUENCES = 1 << 18,
    MAX_GO_PATHS = 1 << 16,
    NO_NAME = NAME_POOL_NONE,
};

// Good up to the next row of its sequence, or its end.
struct row {
    uint64_t address;
    uint32_t name; // in the names
    uint32_t line;
};

struct sequence {
    uint64_t start;
    uint64_t end; // exclusive
    uint32_t first;
    uint32_t row_cnt;
};

struct source_lines {
    struct row *rows;
    uint32_t row_cnt, row_capacity;
    uint32_t first_row;         // of the sequence that goes on, while the table is made
    struct sequence *sequences; // by start
    uint32_t sequence_cnt, sequence_capacity;
    struct name_pool names;
};

struct reading {
    struct source_lines *lines;
    struct line_unit *unit;
    uint32_t names[LINE_UNIT_MAX_FILES]; // of the unit's files, NO_NAME until needed
};

struct go_reading {
    struct source_lines *lines;
    struct number_map names; // by the path's place in memory; 1 more than where the name begins
    const char *path;        // the one before
    uint32_t name;           // of it
};

// --- growing ------------------------------------------------------------------------------

static struct text base_name(struct text path)
{
    const char *slash = path.len == 0 ? NULL : memrchr(path.bytes, '/', path.len);
    if (slash == NULL) {
        return path;
    }
    uint32_t skipped = (uint32_t)(slash - path.bytes) + 1;
    return (struct text){slash + 1, path.len - skipped};
}

static uint32_t add_name(struct source_lines *lines, struct text path)
{
    struct text name = base_name(path);
    bool is_name = name.len > 0 && name.len <= MAX_NAME_BYTES;
    return is_name ? name_pool_add(&lines->names, name, MAX_NAMES_BYTES) : NO_NAME;
}

static uint32_t name_of(struct reading *reading, uint32_t file)
{
    if (file >= reading->unit->file_cnt) {
        return NO_NAME;
    }
    if (reading->names[file] == NO_NAME) {
        reading->names[file] = add_name(reading->lines, reading->unit->files[file]);
    }
    return reading->names[file];
}

// --- rows -----------------------------------------------------------------------------------

// What goes back in address, or was not linked (address 0), is no code.
static bool end_sequence(struct source_lines *lines, uint64_t end)
{
    uint32_t first = lines->first_row;
    uint32_t cnt = lines->row_cnt - first;
    lines->first_row = lines->row_cnt;
    if (cnt == 0 || lines->rows[first].address == 0 ||
        end <= lines->rows[lines->row_cnt - 1].address) {
        lines->row_cnt = lines->first_row = first;
        return true;
    }
    struct sequence *sequences =
        grown_array(lines->sequences, &lines->sequence_capacity, lines->sequence_cnt + 1,
                    MAX_SEQUENCES, sizeof *lines->sequences);
    if (sequences == NULL) {
        return false;
    }
    lines->sequences = sequences;
    lines->sequences[lines->sequence_cnt++] =
        (struct sequence){lines->rows[first].address, end, first, cnt};
    return true;
}

static bool add_row(struct source_lines *lines, struct row row)
{
    struct row *last = lines->row_cnt > lines->first_row ? &lines->rows[lines->row_cnt - 1] : NULL;
    if (last != NULL &&
        (row.address < last->address || (last->line == row.line && last->name == row.name))) {
        return true;
    }
    if (last != NULL && last->address == row.address) {
        *last = row;
        return true;
    }
    struct row *rows = grown_array(lines->rows, &lines->row_capacity, lines->row_cnt + 1,
                                   SOURCE_LINES_MAX_ROWS, sizeof *lines->rows);
    if (rows == NULL) {
        return false;
    }
    lines->rows = rows;
    lines->rows[lines->row_cnt++] = row;
    return true;
}

static bool take_row(void *context, const struct line_row *row)
{
    struct reading *reading = context;
    struct source_lines *lines = reading->lines;
    return row->ends
               ? end_sequence(lines, row->address)
               : add_row(lines, (struct row){row->address, name_of(reading, row->file), row->line});
}

static int compare(const void *left, const void *right)
{
    const struct sequence *a = left;
    const struct sequence *b = right;
    return a->start < b->start ? -1 : a->start > b->start ? 1 : 0;
}

static void read_units(struct reading *reading, struct line_cursor cursor, struct text names)
{
    bool goes_on = true;
    while (goes_on && !cursor.has_failed && cursor.at < cursor.end) {
        if (line_unit_read(reading->unit, &cursor, names)) {
            memset(reading->names, 0xff, reading->unit->file_cnt * sizeof reading->names[0]);
            reading->lines->first_row = reading->lines->row_cnt;
            goes_on = line_unit_run(reading->unit, take_row, reading);
            reading->lines->row_cnt = reading->lines->first_row; // without an end
        }
    }
}

// NULL of none.
static struct source_lines *finish(struct source_lines *lines)
{
    if (lines == NULL || lines->sequence_cnt == 0) {
        source_lines_destroy(lines);
        return NULL;
    }
    qsort(lines->sequences, lines->sequence_cnt, sizeof *lines->sequences, compare);
    return lines;
}

struct source_lines *source_lines_parse(const void *section, size_t len, const char *names,
                                        size_t names_len)
{
    struct line_cursor cursor = {section, (const unsigned char *)section + len, false};
    struct source_lines *lines = calloc(1, sizeof *lines);
    struct reading *reading = calloc(1, sizeof *reading);
    struct line_unit *unit = calloc(1, sizeof *unit);
    if (lines != NULL && reading != NULL && unit != NULL) {
        reading->lines = lines;
        reading->unit = unit;
        read_units(reading, cursor, (struct text){names, (uint32_t)names_len});
    }
    free(unit);
    free(reading);
    return finish(lines);
}

void source_lines_destroy(struct source_lines *lines)
{
    if (lines == NULL) {
        return;
    }
    free(lines->rows);
    free(lines->sequences);
    name_pool_deinit(&lines->names);
    free(lines);
}

// --- Go -----------------------------------------------------------------------------------

static uint32_t name_of_path(struct go_reading *reading, struct text path)
{
    uint64_t key = (uint64_t)(uintptr_t)path.bytes;
    uint32_t id = number_map_find(&reading->names, key);
    if (id != 0 || reading->names.cnt >= MAX_GO_PATHS) {
        return id == 0 ? NO_NAME : id - 1;
    }
    uint32_t name = add_name(reading->lines, path);
    return name != NO_NAME && number_map_add(&reading->names, key, name + 1) ? name : NO_NAME;
}

static bool take_go_line(void *context, const struct go_line *line)
{
    struct go_reading *reading = context;
    if (line->ends) {
        return end_sequence(reading->lines, line->address);
    }
    if (line->path.bytes != reading->path) {
        reading->path = line->path.bytes;
        reading->name = name_of_path(reading, line->path);
    }
    return add_row(reading->lines, (struct row){line->address, reading->name, line->line});
}

struct source_lines *source_lines_of_go(const struct go_table *table)
{
    struct source_lines *lines = calloc(1, sizeof *lines);
    struct go_reading reading = {.lines = lines, .name = NO_NAME};
    if (lines != NULL) {
        go_lines_each(table, take_go_line, &reading);
        lines->row_cnt = lines->first_row; // without an end
    }
    number_map_deinit(&reading.names);
    return finish(lines);
}

// --- sections ---------------------------------------------------------------------------

struct source_lines *source_lines_create(const struct elf_file *file, size_t *read_bytes)
{
    size_t len = 0;
    size_t names_len = 0;
    char *bytes = debug_section_load(file, ".debug_line", SOURCE_LINES_MAX_SECTION_BYTES, &len);
    char *names = bytes == NULL ? NULL
                                : debug_section_load(file, ".debug_line_str",
                                                     SOURCE_LINES_MAX_SECTION_BYTES, &names_len);
    struct source_lines *lines =
        bytes == NULL ? NULL : source_lines_parse(bytes, len, names, names_len);
    *read_bytes = len + names_len;
    free(names);
    free(bytes);
    return lines;
}

struct source_lines *source_lines_create_of_go(const struct elf_file *file, size_t *read_bytes)
{
    struct go_image image;
    bool is_go = go_image_open(&image, file);
    struct source_lines *lines = is_go ? source_lines_of_go(&image.table) : NULL;
    *read_bytes = image.table.len; // 0 of none
    go_image_close(&image);
    return lines;
}

// --- lookup -----------------------------------------------------------------------------

static const struct sequence *sequence_of(const struct source_lines *lines, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = lines->sequence_cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->sequences[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct sequence *found = low == 0 ? NULL : &lines->sequences[low - 1];
    return found != NULL && address < found->end ? found : NULL;
}

bool source_lines_find(const struct source_lines *lines, uint64_t address, struct text *file,
                       uint32_t *line)
{
    const struct sequence *sequence = sequence_of(lines, address);
    if (sequence == NULL) {
        return false;
    }
    uint32_t low = sequence->first; // its address is not above
    uint32_t high = low + sequence->row_cnt;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->rows[middle].address <= address) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct row *row = &lines->rows[low];
    if (row->line == 0 || row->name == NO_NAME) {
        return false;
    }
    *file = name_pool_text(&lines->names, row->name);
    *line = row->line;
    return true;
}

size_t source_lines_memory_bytes(const struct source_lines *lines)
{
    return lines == NULL
               ? 0
               : sizeof *lines + lines->row_capacity * sizeof *lines->rows +
                     lines->sequence_capacity * sizeof *lines->sequences + lines->names.capacity;
}

// SPDX-License-Identifier: Apache-2.0
#include "unwind/go_table.h"

#include <string.h>

enum { MAGIC_1_18 = 0xF0, MAGIC_1_20 = 0xF1, POINTER_BYTES = 8 };

// Of the head, behind GO_TABLE_TEXT_AT: offsets of the parts, 8 bytes each.
enum {
    NAMES_AT = 32,
    UNITS_AT = 40,
    PATHS_AT = 48,
    STEPS_AT = 56,
    FUNCTIONS_AT = 64,
    HEAD_BYTES = 72,
};

// Of a function, in words of 4 bytes.
enum { NAME_WORD = 1, STEPS_WORD = 4, UNIT_WORD = 8, FUNCTION_WORDS = 9 };

enum { FLAGS_AT_1_18 = 37, FLAGS_AT_1_20 = 41 };

static bool read_bytes(const struct go_table *table, uint64_t at, void *to, size_t len)
{
    if (at > table->len || len > table->len - at) {
        return false;
    }
    memcpy(to, table->bytes + at, len);
    return true;
}

static uint64_t word(const struct go_table *table, uint64_t at)
{
    uint64_t value = 0;
    (void)read_bytes(table, at, &value, sizeof value);
    return value;
}

static bool is_within(const struct go_table *table)
{
    uint64_t cnt = word(table, 8);
    uint64_t rows_bytes = (cnt * 2 + 1) * sizeof(uint32_t);
    return cnt > 0 && cnt <= GO_TABLE_MAX_FUNCTIONS && table->names_at < table->names_end &&
           table->names_end <= table->len && table->bytes[table->names_end - 1] == '\0' &&
           table->steps_at < table->len && table->functions_at < table->len &&
           rows_bytes <= table->len - table->functions_at;
}

static bool is_instruction(unsigned char bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4;
}

bool go_table_open(struct go_table *table, const void *bytes, size_t len)
{
    static const unsigned char HEAD[] = {0xFF, 0xFF, 0xFF, 0, 0}; // behind the first byte
    *table = (struct go_table){.bytes = bytes, .len = len};
    if (len < HEAD_BYTES || memcmp(table->bytes + 1, HEAD, sizeof HEAD) != 0 ||
        (table->bytes[0] != MAGIC_1_18 && table->bytes[0] != MAGIC_1_20) ||
        table->bytes[7] != POINTER_BYTES || !is_instruction(table->bytes[6])) {
        return false;
    }
    table->instruction_bytes = table->bytes[6];
    table->flags_at = table->bytes[0] == MAGIC_1_18 ? FLAGS_AT_1_18 : FLAGS_AT_1_20;
    table->names_at = word(table, NAMES_AT);
    table->names_end = word(table, UNITS_AT);
    table->paths_at = word(table, PATHS_AT);
    table->steps_at = word(table, STEPS_AT);
    table->functions_at = word(table, FUNCTIONS_AT);
    // Between two parts there may be padding; it is NULs.
    if (!is_within(table)) {
        return false;
    }
    table->function_cnt = (uint32_t)word(table, 8);
    return true;
}

uint64_t go_table_text(const struct go_table *table)
{
    return word(table, GO_TABLE_TEXT_AT);
}

struct text go_table_names(const struct go_table *table)
{
    return (struct text){(const char *)table->bytes + table->names_at,
                         (uint32_t)(table->names_end - table->names_at - 1)};
}

bool go_table_function(const struct go_table *table, uint32_t i, struct go_function *function)
{
    uint32_t row[3]; // where it begins, where it is told of, where the next one begins
    uint32_t words[FUNCTION_WORDS];
    if (i >= table->function_cnt ||
        !read_bytes(table, table->functions_at + (uint64_t)i * 8, row, sizeof row)) {
        return false;
    }
    uint64_t at = table->functions_at + row[1];
    function->start = table->text + row[0];
    function->end = table->text + row[2];
    if (function->end <= function->start || !read_bytes(table, at, words, sizeof words) ||
        !read_bytes(table, at + table->flags_at, &function->flags, sizeof function->flags)) {
        return false;
    }
    function->name = words[NAME_WORD];
    function->unit = words[UNIT_WORD];
    memcpy(function->steps, words + STEPS_WORD, sizeof function->steps);
    return function->name < table->names_end - table->names_at;
}

// All names together end with a NUL.
static const char *name_of(const struct go_table *table, const struct go_function *function)
{
    return (const char *)table->bytes + table->names_at + function->name;
}

struct text go_table_name(const struct go_table *table, const struct go_function *function)
{
    const char *name = name_of(table, function);
    return (struct text){name, (uint32_t)strnlen(name, GO_TABLE_MAX_NAME_BYTES)};
}

bool go_table_is_named(const struct go_table *table, const struct go_function *function,
                       const char *name)
{
    return strcmp(name_of(table, function), name) == 0;
}

// Which files a unit has is told unit by unit.
static bool read_path_at(const struct go_table *table, uint64_t number, uint64_t *path_at)
{
    uint32_t offset = UINT32_MAX;
    uint64_t at = table->names_end + number * sizeof offset;
    if (table->paths_at >= table->steps_at || at + sizeof offset > table->paths_at ||
        !read_bytes(table, at, &offset, sizeof offset)) {
        return false;
    }
    *path_at = table->paths_at + offset;
    return *path_at < table->steps_at;
}

bool go_table_path(const struct go_table *table, const struct go_function *function, int32_t file,
                   struct text *path)
{
    uint64_t at;
    if (file < 0 || !read_path_at(table, (uint64_t)function->unit + (uint32_t)file, &at)) {
        return false;
    }
    uint64_t left = table->steps_at - at;
    size_t max = left < GO_TABLE_MAX_NAME_BYTES ? (size_t)left : GO_TABLE_MAX_NAME_BYTES;
    const char *bytes = (const char *)table->bytes + at;
    *path = (struct text){bytes, (uint32_t)strnlen(bytes, max)};
    return path->len < max;
}

uint64_t go_table_start(const struct go_table *table)
{
    struct go_function first;
    return go_table_function(table, 0, &first) ? first.start : 0;
}

uint64_t go_table_end(const struct go_table *table)
{
    struct go_function last;
    return go_table_function(table, table->function_cnt - 1, &last) ? last.end : 0;
}

// ---- steps ----------------------------------------------------------------------------

void go_steps_begin(struct go_steps *steps, const struct go_table *table,
                    const struct go_function *function, enum go_step_kind kind)
{
    uint32_t offset = function->steps[kind]; // 0: nothing is told
    uint64_t at = table->steps_at + offset;
    *steps = (struct go_steps){
        .at = table->bytes + (offset != 0 && at < table->len ? at : table->len),
        .table_end = table->bytes + table->len,
        .end = function->end,
        .next = function->start,
        .instruction_bytes = table->instruction_bytes,
        .value = -1,
        .is_first = true,
    };
}

// Of five bytes at most.
static bool take_varint(struct go_steps *steps, uint32_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 35 && steps->at < steps->table_end; shift += 7) {
        unsigned char byte = *steps->at++;
        *value |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return true;
        }
    }
    return false;
}

bool go_steps_next(struct go_steps *steps, struct go_step *step)
{
    uint32_t change;
    uint32_t instructions;
    if (steps->next >= steps->end || !take_varint(steps, &change) ||
        (change == 0 && !steps->is_first) || !take_varint(steps, &instructions) ||
        instructions == 0) {
        return false;
    }
    uint32_t signed_change = (change & 1) != 0 ? ~(change >> 1) : change >> 1;
    steps->is_first = false;
    steps->value = (int32_t)((uint32_t)steps->value + signed_change);
    step->start = steps->next;
    uint64_t bytes = (uint64_t)instructions * steps->instruction_bytes;
    step->end = bytes < steps->end - steps->next ? steps->next + bytes : steps->end;
    step->value = steps->value;
    steps->next = step->end;
    return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/line_unit.h"

#include <string.h>

enum { MAX_FORMATS = 16, MAX_NAME_BYTES = 512 };

// DWARF 5, 7.5.6: what may stand in a table of files or folders.
enum {
    FORM_DATA2 = 0x05,
    FORM_DATA4 = 0x06,
    FORM_DATA8 = 0x07,
    FORM_STRING = 0x08,
    FORM_BLOCK = 0x09,
    FORM_DATA1 = 0x0b,
    FORM_STRP = 0x0e,
    FORM_UDATA = 0x0f,
    FORM_DATA16 = 0x1e,
    FORM_LINE_STRP = 0x1f,
    CONTENT_PATH = 1,
};

// 6.2.5.2, 6.2.5.3
enum {
    COPY = 1,
    ADVANCE_PC = 2,
    ADVANCE_LINE = 3,
    SET_FILE = 4,
    CONST_ADD_PC = 8,
    FIXED_ADVANCE_PC = 9,
    END_SEQUENCE = 1,
    SET_ADDRESS = 2,
};

// --- the head ---------------------------------------------------------------------------

struct format {
    uint64_t content;
    uint64_t form;
};

struct table {
    struct format formats[MAX_FORMATS];
    unsigned format_cnt;
    uint64_t entry_cnt;
};

static struct text name_at(struct text names, uint64_t offset)
{
    if (offset >= names.len) {
        return (struct text){"", 0};
    }
    size_t room = names.len - offset < MAX_NAME_BYTES ? names.len - offset : MAX_NAME_BYTES;
    return (struct text){names.bytes + offset, (uint32_t)strnlen(names.bytes + offset, room)};
}

// Skips a value, or returns it where it is a text that can be told.
static struct text read_form(struct line_cursor *head, uint64_t form, struct text names)
{
    switch (form) {
    case FORM_STRING:
        return line_cursor_string(head);
    case FORM_LINE_STRP:
        return name_at(names, line_cursor_number(head, 4));
    case FORM_STRP:
    case FORM_DATA4:
        line_cursor_skip(head, 4);
        break;
    case FORM_DATA1:
        line_cursor_skip(head, 1);
        break;
    case FORM_DATA2:
        line_cursor_skip(head, 2);
        break;
    case FORM_DATA8:
        line_cursor_skip(head, 8);
        break;
    case FORM_DATA16:
        line_cursor_skip(head, 16);
        break;
    case FORM_UDATA:
        (void)line_cursor_uleb(head);
        break;
    case FORM_BLOCK:
        line_cursor_skip(head, line_cursor_uleb(head));
        break;
    default:
        head->has_failed = true;
    }
    return (struct text){"", 0};
}

static void read_table(struct line_cursor *head, struct table *table)
{
    table->format_cnt = (unsigned)line_cursor_number(head, 1);
    head->has_failed = head->has_failed || table->format_cnt > MAX_FORMATS;
    for (unsigned i = 0; i < table->format_cnt && !head->has_failed; i++) {
        table->formats[i].content = line_cursor_uleb(head);
        table->formats[i].form = line_cursor_uleb(head);
    }
    table->entry_cnt = line_cursor_uleb(head);
    head->has_failed = head->has_failed || (table->format_cnt == 0 && table->entry_cnt > 0);
}

static struct text read_entry(struct line_cursor *head, const struct table *table,
                              struct text names)
{
    struct text path = {"", 0};
    for (unsigned i = 0; i < table->format_cnt && !head->has_failed; i++) {
        struct text value = read_form(head, table->formats[i].form, names);
        path = table->formats[i].content == CONTENT_PATH ? value : path;
    }
    return path;
}

static void add_file(struct line_unit *unit, struct text name)
{
    if (unit->file_cnt < LINE_UNIT_MAX_FILES) {
        unit->files[unit->file_cnt++] = name;
    }
}

// Numbered from 0.
static void read_files_5(struct line_unit *unit, struct line_cursor *head, struct text names)
{
    struct table folders = {0};
    struct table files = {0};
    read_table(head, &folders);
    for (uint64_t i = 0; i < folders.entry_cnt && !head->has_failed; i++) {
        (void)read_entry(head, &folders, (struct text){"", 0});
    }
    read_table(head, &files);
    for (uint64_t i = 0;
         i < files.entry_cnt && !head->has_failed && unit->file_cnt < LINE_UNIT_MAX_FILES; i++) {
        add_file(unit, read_entry(head, &files, names));
    }
}

// Numbered from 1.
static void read_files_2(struct line_unit *unit, struct line_cursor *head)
{
    add_file(unit, (struct text){"", 0});
    while (line_cursor_string(head).len > 0) { // folders
    }
    for (struct text name = line_cursor_string(head); name.len > 0;
         name = line_cursor_string(head)) {
        add_file(unit, name);
        (void)line_cursor_uleb(head); // folder, time, length
        (void)line_cursor_uleb(head);
        (void)line_cursor_uleb(head);
    }
}

static void read_head(struct line_unit *unit, struct line_cursor *head)
{
    unit->instruction_bytes = (unsigned)line_cursor_number(head, 1);
    if (unit->version >= 4) {
        line_cursor_skip(head, 1); // operations of one instruction
    }
    line_cursor_skip(head, 1); // is_stmt
    unit->line_base = (int8_t)line_cursor_number(head, 1);
    unit->line_range = (unsigned)line_cursor_number(head, 1);
    unit->opcode_base = (unsigned)line_cursor_number(head, 1);
    for (unsigned i = 1; i < unit->opcode_base; i++) {
        unit->opcode_operands[i] = (unsigned char)line_cursor_number(head, 1);
    }
    head->has_failed = head->has_failed || unit->line_range == 0 || unit->opcode_base == 0;
}

// The 64-bit form of DWARF is not read, but known well enough to be skipped.
static struct line_cursor take_unit(struct line_cursor *cursor)
{
    uint64_t len = line_cursor_number(cursor, 4);
    if (len >= 0xfffffff0U) {
        line_cursor_skip(cursor, len == 0xffffffffU ? line_cursor_number(cursor, 8) : UINT64_MAX);
        return (struct line_cursor){.has_failed = true};
    }
    return line_cursor_part(cursor, len);
}

bool line_unit_read(struct line_unit *unit, struct line_cursor *cursor, struct text names)
{
    struct line_cursor body = take_unit(cursor);
    unit->file_cnt = 0;
    unit->address_bytes = 8;
    unit->version = (unsigned)line_cursor_number(&body, 2);
    if (body.has_failed || unit->version < 2 || unit->version > 5) {
        return false;
    }
    if (unit->version == 5) {
        unit->address_bytes = (unsigned)line_cursor_number(&body, 1);
        line_cursor_skip(&body, 1); // segment selector
    }
    struct line_cursor head = line_cursor_part(&body, line_cursor_number(&body, 4));
    read_head(unit, &head);
    if (unit->version == 5) {
        read_files_5(unit, &head, names);
    } else {
        read_files_2(unit, &head);
    }
    unit->program = body;
    return !head.has_failed && !body.has_failed && unit->address_bytes == 8;
}

// --- the program ------------------------------------------------------------------------

struct machine {
    struct line_row row;
    line_unit_take take;
    void *context;
};

static void begin(struct machine *machine)
{
    machine->row = (struct line_row){.file = 1, .line = 1};
}

static void advance(const struct line_unit *unit, struct machine *machine, uint64_t steps)
{
    machine->row.address += steps * unit->instruction_bytes;
}

static bool emit(struct machine *machine)
{
    return machine->take(machine->context, &machine->row);
}

static bool run_special(const struct line_unit *unit, struct machine *machine, unsigned opcode)
{
    unsigned number = opcode - unit->opcode_base;
    advance(unit, machine, number / unit->line_range);
    machine->row.line += (uint32_t)(unit->line_base + (int)(number % unit->line_range));
    return emit(machine);
}

static bool run_extended(struct line_unit *unit, struct machine *machine)
{
    struct line_cursor operands =
        line_cursor_part(&unit->program, line_cursor_uleb(&unit->program));
    bool goes_on = true;
    switch (line_cursor_number(&operands, 1)) {
    case END_SEQUENCE:
        machine->row.ends = true;
        goes_on = emit(machine);
        begin(machine);
        break;
    case SET_ADDRESS:
        machine->row.address = line_cursor_number(&operands, 8);
        break;
    default: // discriminators, files that are defined late
        break;
    }
    return goes_on;
}

static bool run_standard(struct line_unit *unit, struct machine *machine, unsigned opcode)
{
    struct line_cursor *program = &unit->program;
    switch (opcode) {
    case COPY:
        return emit(machine);
    case ADVANCE_PC:
        advance(unit, machine, line_cursor_uleb(program));
        break;
    case ADVANCE_LINE:
        machine->row.line += (uint32_t)line_cursor_sleb(program);
        break;
    case SET_FILE:
        machine->row.file = (uint32_t)line_cursor_uleb(program);
        break;
    case CONST_ADD_PC:
        advance(unit, machine, (255 - unit->opcode_base) / unit->line_range);
        break;
    case FIXED_ADVANCE_PC:
        machine->row.address += line_cursor_number(program, 2);
        break;
    default:
        for (unsigned i = 0; i < unit->opcode_operands[opcode]; i++) {
            (void)line_cursor_uleb(program);
        }
    }
    return true;
}

bool line_unit_run(struct line_unit *unit, line_unit_take take, void *context)
{
    struct machine machine = {.take = take, .context = context};
    bool goes_on = true;
    begin(&machine);
    while (goes_on && !unit->program.has_failed && unit->program.at < unit->program.end) {
        unsigned opcode = (unsigned)line_cursor_number(&unit->program, 1);
        if (opcode >= unit->opcode_base) {
            goes_on = run_special(unit, &machine, opcode);
        } else if (opcode == 0) {
            goes_on = run_extended(unit, &machine);
        } else {
            goes_on = run_standard(unit, &machine, opcode);
        }
    }
    return goes_on;
}

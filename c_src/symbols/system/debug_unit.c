// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/debug_unit.h"

#include "symbols/system/grown_array.h"

#include <stdlib.h>
#include <string.h>

// DWARF 5, 7.5.6 and what GNU tools add.
enum {
    FORM_ADDR = 0x01,
    FORM_BLOCK2 = 0x03,
    FORM_BLOCK4 = 0x04,
    FORM_DATA2 = 0x05,
    FORM_DATA4 = 0x06,
    FORM_DATA8 = 0x07,
    FORM_STRING = 0x08,
    FORM_BLOCK = 0x09,
    FORM_BLOCK1 = 0x0a,
    FORM_DATA1 = 0x0b,
    FORM_FLAG = 0x0c,
    FORM_SDATA = 0x0d,
    FORM_STRP = 0x0e,
    FORM_UDATA = 0x0f,
    FORM_REF_ADDR = 0x10,
    FORM_REF1 = 0x11,
    FORM_REF2 = 0x12,
    FORM_REF4 = 0x13,
    FORM_REF8 = 0x14,
    FORM_REF_UDATA = 0x15,
    FORM_INDIRECT = 0x16,
    FORM_SEC_OFFSET = 0x17,
    FORM_EXPRLOC = 0x18,
    FORM_FLAG_PRESENT = 0x19,
    FORM_STRX = 0x1a,
    FORM_ADDRX = 0x1b,
    FORM_REF_SUP4 = 0x1c,
    FORM_STRP_SUP = 0x1d,
    FORM_DATA16 = 0x1e,
    FORM_LINE_STRP = 0x1f,
    FORM_REF_SIG8 = 0x20,
    FORM_IMPLICIT_CONST = 0x21,
    FORM_LOCLISTX = 0x22,
    FORM_RNGLISTX = 0x23,
    FORM_REF_SUP8 = 0x24,
    FORM_STRX1 = 0x25,
    FORM_STRX2 = 0x26,
    FORM_STRX3 = 0x27,
    FORM_STRX4 = 0x28,
    FORM_ADDRX1 = 0x29,
    FORM_ADDRX2 = 0x2a,
    FORM_ADDRX3 = 0x2b,
    FORM_ADDRX4 = 0x2c,
    FORM_GNU_ADDR_INDEX = 0x1f01,
    FORM_GNU_STR_INDEX = 0x1f02,
    FORM_GNU_REF_ALT = 0x1f20,
    FORM_GNU_STRP_ALT = 0x1f21,
};

enum {
    AT_NAME = 0x03,
    AT_LOW_PC = 0x11,
    AT_HIGH_PC = 0x12,
    AT_ABSTRACT_ORIGIN = 0x31,
    AT_SPECIFICATION = 0x47,
    AT_RANGES = 0x55,
    AT_CALL_LINE = 0x59,
    AT_LINKAGE_NAME = 0x6e,
    AT_STR_OFFSETS_BASE = 0x72,
    AT_ADDR_BASE = 0x73,
    AT_RNGLISTS_BASE = 0x74,
    AT_MIPS_LINKAGE_NAME = 0x2007,
};

enum { UNIT_COMPILE = 1, UNIT_PARTIAL = 3, MAX_NAME_BYTES = 2048, MAX_INDIRECTIONS = 4 };

void debug_unit_init(struct debug_unit *unit, const struct debug_sections *sections)
{
    *unit = (struct debug_unit){.sections = sections};
}

void debug_unit_deinit(struct debug_unit *unit)
{
    free(unit->kinds);
    free(unit->attributes);
    *unit = (struct debug_unit){.sections = unit->sections};
}

static struct line_cursor cursor_at(struct text section, uint64_t offset)
{
    const unsigned char *bytes = (const unsigned char *)section.bytes;
    struct line_cursor cursor = {.has_failed = true};
    if (offset <= section.len && section.len > 0) {
        cursor = (struct line_cursor){bytes + offset, bytes + section.len, false};
    }
    return cursor;
}

static unsigned fixed_bytes(unsigned form)
{
    switch (form) {
    case FORM_DATA1:
    case FORM_FLAG:
    case FORM_REF1:
    case FORM_STRX1:
    case FORM_ADDRX1:
        return 1;
    case FORM_DATA2:
    case FORM_REF2:
    case FORM_STRX2:
    case FORM_ADDRX2:
        return 2;
    case FORM_STRX3:
    case FORM_ADDRX3:
        return 3;
    case FORM_DATA4:
    case FORM_REF4:
    case FORM_STRP:
    case FORM_LINE_STRP:
    case FORM_SEC_OFFSET:
    case FORM_REF_SUP4:
    case FORM_STRP_SUP:
    case FORM_STRX4:
    case FORM_ADDRX4:
    case FORM_GNU_REF_ALT:
    case FORM_GNU_STRP_ALT:
        return 4;
    case FORM_ADDR:
    case FORM_DATA8:
    case FORM_REF8:
    case FORM_REF_SIG8:
    case FORM_REF_SUP8:
        return 8;
    default:
        return 0;
    }
}

// --- kinds of entries ---------------------------------------------------------------------

static bool add_attribute(struct debug_unit *unit, uint64_t name, uint64_t form, int64_t constant)
{
    struct debug_attribute *attributes = NULL;
    if (name <= UINT16_MAX && form <= UINT16_MAX) {
        attributes =
            grown_array(unit->attributes, &unit->attribute_capacity, unit->attribute_cnt + 1,
                        DEBUG_UNIT_MAX_ATTRIBUTES, sizeof *attributes);
    }
    if (attributes == NULL) {
        return false;
    }
    unit->attributes = attributes;
    unit->attributes[unit->attribute_cnt++] =
        (struct debug_attribute){(uint16_t)name, (uint16_t)form, (uint32_t)constant};
    return ++unit->read_cnt < DEBUG_UNIT_MAX_READ;
}

static bool add_kind(struct debug_unit *unit, uint64_t code, const struct debug_kind *kind)
{
    if (code >= DEBUG_UNIT_MAX_KINDS) {
        return false;
    }
    struct debug_kind *kinds = grown_array(unit->kinds, &unit->kind_capacity, (uint32_t)code + 1,
                                           DEBUG_UNIT_MAX_KINDS, sizeof *kinds);
    if (kinds == NULL) {
        return false;
    }
    unit->kinds = kinds;
    while (unit->kind_cnt <= code) {
        unit->kinds[unit->kind_cnt++] = (struct debug_kind){.tag = 0};
    }
    unit->kinds[code] = *kind;
    return true;
}

static bool read_attributes(struct debug_unit *unit, struct line_cursor *table)
{
    for (;;) {
        uint64_t name = line_cursor_uleb(table);
        uint64_t form = line_cursor_uleb(table);
        int64_t constant = form == FORM_IMPLICIT_CONST ? line_cursor_sleb(table) : 0;
        if (table->has_failed || (name == 0 && form == 0)) {
            return !table->has_failed;
        }
        if (!add_attribute(unit, name, form, constant)) {
            return false;
        }
    }
}

// Most entries are of no interest: where their size is known, they are skipped at once.
static void measure(const struct debug_unit *unit, struct debug_kind *kind)
{
    kind->has_fixed_bytes = true;
    for (uint32_t i = 0; i < kind->attribute_cnt && kind->has_fixed_bytes; i++) {
        unsigned form = unit->attributes[kind->first + i].form;
        unsigned bytes = fixed_bytes(form);
        bool is_nothing = form == FORM_FLAG_PRESENT || form == FORM_IMPLICIT_CONST;
        kind->has_fixed_bytes = bytes > 0 || is_nothing;
        kind->bytes += bytes;
    }
}

static bool read_kinds(struct debug_unit *unit, uint64_t at)
{
    struct line_cursor table = cursor_at(unit->sections->abbrev, at);
    bool ok = true;
    if (unit->has_kinds && unit->kinds_at == at) {
        return true;
    }
    unit->kind_cnt = unit->attribute_cnt = 0;
    unit->has_kinds = false;
    for (uint64_t code = line_cursor_uleb(&table); ok && code != 0 && !table.has_failed;
         code = line_cursor_uleb(&table)) {
        struct debug_kind kind = {.tag = (uint32_t)line_cursor_uleb(&table)};
        kind.has_children = line_cursor_number(&table, 1) != 0;
        kind.first = unit->attribute_cnt;
        ok = read_attributes(unit, &table) && ++unit->read_cnt < DEBUG_UNIT_MAX_READ;
        kind.attribute_cnt = unit->attribute_cnt - kind.first;
        measure(unit, &kind);
        ok = ok && add_kind(unit, code, &kind);
    }
    unit->has_kinds = ok && !table.has_failed;
    unit->kinds_at = at;
    return unit->has_kinds;
}

// --- values ---------------------------------------------------------------------------------

static uint64_t skip(struct line_cursor *at, uint64_t bytes)
{
    line_cursor_skip(at, bytes);
    return 0;
}

static uint64_t read_number(struct line_cursor *at, unsigned form)
{
    switch (form) {
    case FORM_UDATA:
    case FORM_REF_UDATA:
    case FORM_STRX:
    case FORM_ADDRX:
    case FORM_LOCLISTX:
    case FORM_RNGLISTX:
    case FORM_GNU_ADDR_INDEX:
    case FORM_GNU_STR_INDEX:
        return line_cursor_uleb(at);
    case FORM_SDATA:
        return (uint64_t)line_cursor_sleb(at);
    case FORM_BLOCK1:
        return skip(at, line_cursor_number(at, 1));
    case FORM_BLOCK2:
        return skip(at, line_cursor_number(at, 2));
    case FORM_BLOCK4:
        return skip(at, line_cursor_number(at, 4));
    case FORM_BLOCK:
    case FORM_EXPRLOC:
        return skip(at, line_cursor_uleb(at));
    case FORM_DATA16:
        return skip(at, 16);
    case FORM_FLAG_PRESENT:
    case FORM_IMPLICIT_CONST:
        return 0;
    default:
        at->has_failed = true;
        return 0;
    }
}

static struct debug_value read_value(const struct debug_unit *unit, struct line_cursor *at,
                                     uint64_t form)
{
    struct debug_value value = {.form = 0};
    for (int i = 0; form == FORM_INDIRECT && i < MAX_INDIRECTIONS; i++) {
        form = line_cursor_uleb(at);
    }
    value.form = form > UINT16_MAX ? (uint16_t)FORM_INDIRECT : (uint16_t)form;
    if (form == FORM_STRING) {
        value.text = line_cursor_string(at);
        return value;
    }
    unsigned bytes = form == FORM_REF_ADDR ? (unit->version < 3 ? 8 : 4) : fixed_bytes(value.form);
    value.number = bytes > 0 ? line_cursor_number(at, bytes) : read_number(at, value.form);
    return value;
}

static bool is_index_of_text(unsigned form)
{
    return form == FORM_STRX || (form >= FORM_STRX1 && form <= FORM_STRX4) ||
           form == FORM_GNU_STR_INDEX;
}

static struct text text_at(struct text section, uint64_t offset)
{
    if (offset >= section.len) {
        return TEXT("");
    }
    size_t room = section.len - offset;
    size_t len = strnlen(section.bytes + offset, room < MAX_NAME_BYTES ? room : MAX_NAME_BYTES);
    return (struct text){section.bytes + offset, (uint32_t)len};
}

struct text debug_unit_text(const struct debug_unit *unit, const struct debug_value *value)
{
    const struct debug_sections *sections = unit->sections;
    if (value->form == FORM_STRING) {
        return value->text;
    }
    if (value->form == FORM_STRP) {
        return text_at(sections->str, value->number);
    }
    if (value->form == FORM_LINE_STRP) {
        return text_at(sections->line_str, value->number);
    }
    if (is_index_of_text(value->form) && value->number <= UINT32_MAX) {
        struct line_cursor at =
            cursor_at(sections->str_offsets, unit->str_offsets_base + 4 * value->number);
        uint64_t offset = line_cursor_number(&at, 4);
        return at.has_failed ? TEXT("") : text_at(sections->str, offset);
    }
    return TEXT("");
}

bool debug_unit_address_of_index(const struct debug_unit *unit, uint64_t index, uint64_t *address)
{
    struct line_cursor at = {.has_failed = true};
    if (index <= UINT32_MAX) {
        at = cursor_at(unit->sections->addr, unit->addr_base + 8 * index);
    }
    *address = line_cursor_number(&at, 8);
    return !at.has_failed;
}

bool debug_unit_address(const struct debug_unit *unit, const struct debug_value *value,
                        uint64_t *address)
{
    if (value->form == FORM_ADDR) {
        *address = value->number;
        return true;
    }
    bool is_index = value->form == FORM_ADDRX || value->form == FORM_GNU_ADDR_INDEX ||
                    (value->form >= FORM_ADDRX1 && value->form <= FORM_ADDRX4);
    return is_index && debug_unit_address_of_index(unit, value->number, address);
}

bool debug_unit_reference(const struct debug_unit *unit, const struct debug_value *value,
                          uint64_t *offset)
{
    if (value->form == FORM_REF_ADDR) {
        *offset = value->number;
        return true;
    }
    *offset = unit->start + value->number;
    return value->form >= FORM_REF1 && value->form <= FORM_REF_UDATA;
}

// --- entries --------------------------------------------------------------------------------

static void keep(struct debug_unit *unit, struct debug_entry *entry, unsigned name,
                 const struct debug_value *value)
{
    switch (name) {
    case AT_NAME:
        entry->name = *value;
        break;
    case AT_LINKAGE_NAME:
    case AT_MIPS_LINKAGE_NAME:
        entry->linkage_name = *value;
        break;
    case AT_ABSTRACT_ORIGIN:
    case AT_SPECIFICATION:
        entry->origin = *value;
        break;
    case AT_LOW_PC:
        entry->low = *value;
        break;
    case AT_HIGH_PC:
        entry->high = *value;
        break;
    case AT_RANGES:
        entry->ranges = *value;
        break;
    case AT_CALL_LINE:
        entry->call_line = *value;
        break;
    case AT_STR_OFFSETS_BASE:
        unit->str_offsets_base = value->number;
        break;
    case AT_ADDR_BASE:
        unit->addr_base = value->number;
        break;
    case AT_RNGLISTS_BASE:
        unit->rnglists_base = value->number;
        break;
    default:
        break;
    }
}

static uint64_t offset_of(const struct debug_unit *unit)
{
    return (uint64_t)(unit->entries.at - (const unsigned char *)unit->sections->info.bytes);
}

static bool is_told(uint32_t tag)
{
    return tag == DEBUG_TAG_INLINED || tag == DEBUG_TAG_SUBPROGRAM || tag == DEBUG_TAG_UNIT ||
           tag == DEBUG_TAG_PARTIAL_UNIT;
}

static void skip_attributes(struct debug_unit *unit, const struct debug_kind *kind)
{
    if (kind->has_fixed_bytes) {
        line_cursor_skip(&unit->entries, kind->bytes);
        return;
    }
    for (uint32_t i = 0; i < kind->attribute_cnt && !unit->entries.has_failed; i++) {
        (void)read_value(unit, &unit->entries, unit->attributes[kind->first + i].form);
    }
}

static void read_entry(struct debug_unit *unit, const struct debug_kind *kind,
                       struct debug_entry *entry)
{
    *entry = (struct debug_entry){
        .offset = entry->offset, .tag = kind->tag, .has_children = kind->has_children};
    for (uint32_t i = 0; i < kind->attribute_cnt && !unit->entries.has_failed; i++) {
        const struct debug_attribute *attribute = &unit->attributes[kind->first + i];
        struct debug_value value = read_value(unit, &unit->entries, attribute->form);
        value.number = value.form == FORM_IMPLICIT_CONST ? attribute->constant : value.number;
        keep(unit, entry, attribute->name, &value);
    }
}

bool debug_unit_next(struct debug_unit *unit, struct debug_entry *entry)
{
    if (unit->entries.has_failed || unit->entries.at >= unit->entries.end) {
        return false;
    }
    entry->offset = offset_of(unit);
    entry->tag = 0;
    entry->has_children = false;
    uint64_t code = line_cursor_uleb(&unit->entries);
    if (code == 0) {
        return !unit->entries.has_failed;
    }
    if (code >= unit->kind_cnt || unit->kinds[code].tag == 0) {
        return false;
    }
    const struct debug_kind *kind = &unit->kinds[code];
    if (is_told(kind->tag)) {
        read_entry(unit, kind, entry);
    } else {
        entry->tag = kind->tag;
        entry->has_children = kind->has_children;
        skip_attributes(unit, kind);
    }
    return !unit->entries.has_failed;
}

// --- the head -------------------------------------------------------------------------------

// The 64-bit form of DWARF is skipped, as in line tables.
static struct line_cursor take_unit(struct line_cursor *info)
{
    uint64_t len = line_cursor_number(info, 4);
    if (len >= 0xfffffff0U) {
        line_cursor_skip(info, len == 0xffffffffU ? line_cursor_number(info, 8) : UINT64_MAX);
        return (struct line_cursor){.has_failed = true};
    }
    return line_cursor_part(info, len);
}

// What the first entry says holds for all of them.
static bool read_first(struct debug_unit *unit)
{
    struct debug_entry entry = {.tag = 0};
    struct line_cursor begin = unit->entries;
    unit->base = unit->addr_base = unit->rnglists_base = 0;
    unit->str_offsets_base = unit->version >= 5 ? 8 : 0;
    if (!debug_unit_next(unit, &entry)) {
        return false;
    }
    if (!debug_unit_address(unit, &entry.low, &unit->base)) {
        unit->base = 0;
    }
    unit->entries = begin;
    return true;
}

bool debug_unit_read(struct debug_unit *unit, struct line_cursor *info)
{
    const unsigned char *start = info->at;
    struct line_cursor body = take_unit(info);
    uint64_t kind = UNIT_COMPILE;
    uint64_t kinds_at = 0;
    uint64_t address_bytes = 0;
    unit->start = (uint64_t)(start - (const unsigned char *)unit->sections->info.bytes);
    unit->version = (unsigned)line_cursor_number(&body, 2);
    if (unit->version == 5) {
        kind = line_cursor_number(&body, 1);
        address_bytes = line_cursor_number(&body, 1);
        kinds_at = line_cursor_number(&body, 4);
    } else {
        kinds_at = line_cursor_number(&body, 4);
        address_bytes = line_cursor_number(&body, 1);
    }
    bool is_known = !body.has_failed && unit->version >= 2 && unit->version <= 5 &&
                    (kind == UNIT_COMPILE || kind == UNIT_PARTIAL) && address_bytes == 8;
    unit->entries = body;
    return is_known && read_kinds(unit, kinds_at) && read_first(unit);
}

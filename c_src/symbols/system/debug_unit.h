// SPDX-License-Identifier: Apache-2.0
// One unit of .debug_info (DWARF 2 to 5) as its entries, one after the other. Of their
// attributes those are told that say which functions were inlined where; the rest is
// skipped. Nothing in the bytes is trusted. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_UNIT_H
#define FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_UNIT_H

#include "symbols/system/debug_sections.h"
#include "symbols/system/line_cursor.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DEBUG_TAG_UNIT = 0x11,
    DEBUG_TAG_PARTIAL_UNIT = 0x3c,
    DEBUG_TAG_INLINED = 0x1d,
    DEBUG_TAG_SUBPROGRAM = 0x2e,
    DEBUG_UNIT_MAX_KINDS = 1 << 16,      // abbreviations of a unit
    DEBUG_UNIT_MAX_ATTRIBUTES = 1 << 19, // of all of them together
    DEBUG_UNIT_MAX_READ = 1 << 25,       // attributes of all tables that were read
};

struct debug_attribute {
    uint16_t name;
    uint16_t form;
    uint32_t constant; // of DW_FORM_implicit_const, which stands here and not in the entry
};

// An abbreviation: what entries of one kind have in common.
struct debug_kind {
    uint32_t tag;
    uint32_t first; // of its attributes
    uint32_t attribute_cnt;
    uint32_t bytes; // of all attributes, where none is of variable size
    bool has_fixed_bytes;
    bool has_children;
};

// A value as it stands; form 0 = it does not.
struct debug_value {
    uint16_t form;
    uint64_t number;  // or an index, or an offset
    struct text text; // of DW_FORM_string
};

struct debug_unit {
    const struct debug_sections *sections;
    struct debug_kind *kinds; // by code
    uint32_t kind_cnt, kind_capacity;
    struct debug_attribute *attributes;
    uint32_t attribute_cnt, attribute_capacity;
    uint64_t kinds_at; // offset of the table that `kinds` holds
    bool has_kinds;
    uint64_t read_cnt; // attributes of tables, so far
    unsigned version;
    uint64_t start; // offset of the unit in .debug_info
    struct line_cursor entries;
    uint64_t base; // address that ranges count from
    uint64_t str_offsets_base, addr_base, rnglists_base;
};

struct debug_entry {
    uint64_t offset; // in .debug_info
    uint32_t tag;    // 0 ends the children of the entry above
    bool has_children;
    // Of the tags above; those of others are passed over, and nothing is set here.
    struct debug_value name, linkage_name;
    struct debug_value origin; // abstract origin or specification
    struct debug_value low, high, ranges;
    struct debug_value call_line;
};

// For debug_unit_next; a zeroed struct is fine. `sections` are borrowed.
void debug_unit_init(struct debug_unit *unit, const struct debug_sections *sections);
void debug_unit_deinit(struct debug_unit *unit);

// Takes the unit at the cursor, which is then behind it, and its first entry. False when it
// is of no kind that is known, or makes no sense; the next may.
bool debug_unit_read(struct debug_unit *unit, struct line_cursor *info);

// The next entry, its children first. False at the end, or where it makes no sense.
bool debug_unit_next(struct debug_unit *unit, struct debug_entry *entry);

// The text that `value` is, or "".
struct text debug_unit_text(const struct debug_unit *unit, const struct debug_value *value);
// False when `value` is no address.
bool debug_unit_address(const struct debug_unit *unit, const struct debug_value *value,
                        uint64_t *address);
// The number `index` of .debug_addr.
bool debug_unit_address_of_index(const struct debug_unit *unit, uint64_t index, uint64_t *address);
// The offset in .debug_info of the entry that `value` refers to; false for other files'.
bool debug_unit_reference(const struct debug_unit *unit, const struct debug_value *value,
                          uint64_t *offset);

#endif

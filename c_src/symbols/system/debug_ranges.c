// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/debug_ranges.h"

// DWARF 5, 7.25
enum {
    END_OF_LIST = 0,
    BASE_ADDRESSX = 1,
    STARTX_ENDX = 2,
    STARTX_LENGTH = 3,
    OFFSET_PAIR = 4,
    BASE_ADDRESS = 5,
    START_END = 6,
    START_LENGTH = 7,
};

enum { FORM_RNGLISTX = 0x23 };

struct reading {
    const struct debug_unit *unit;
    struct line_cursor at;
    uint64_t base;
    debug_ranges_take take;
    void *context;
};

static struct line_cursor cursor_at(struct text section, uint64_t offset)
{
    const unsigned char *bytes = (const unsigned char *)section.bytes;
    struct line_cursor cursor = {.has_failed = true};
    if (offset < section.len) {
        cursor = (struct line_cursor){bytes + offset, bytes + section.len, false};
    }
    return cursor;
}

static bool give(const struct reading *reading, uint64_t start, uint64_t end)
{
    return start == 0 || start >= end || reading->take(reading->context, start, end);
}

// Pairs of words, relative to the base; a first word of ones sets it.
static bool read_words(struct reading *reading)
{
    for (int i = 0; i < DEBUG_RANGES_MAX; i++) {
        uint64_t first = line_cursor_number(&reading->at, 8);
        uint64_t second = line_cursor_number(&reading->at, 8);
        if (reading->at.has_failed || (first == 0 && second == 0)) {
            return true;
        }
        if (first == UINT64_MAX) {
            reading->base = second;
        } else if (!give(reading, reading->base + first, reading->base + second)) {
            return false;
        }
    }
    return true;
}

static uint64_t indexed(struct reading *reading)
{
    uint64_t address = 0;
    if (!debug_unit_address_of_index(reading->unit, line_cursor_uleb(&reading->at), &address)) {
        reading->at.has_failed = true;
    }
    return address;
}

static bool read_pair(struct reading *reading, unsigned kind)
{
    struct line_cursor *at = &reading->at;
    uint64_t start = 0;
    uint64_t end = 0;
    switch (kind) {
    case STARTX_ENDX:
        start = indexed(reading);
        end = indexed(reading);
        break;
    case STARTX_LENGTH:
        start = indexed(reading);
        end = start + line_cursor_uleb(at);
        break;
    case OFFSET_PAIR:
        start = reading->base + line_cursor_uleb(at);
        end = reading->base + line_cursor_uleb(at);
        break;
    case START_END:
        start = line_cursor_number(at, 8);
        end = line_cursor_number(at, 8);
        break;
    case START_LENGTH:
        start = line_cursor_number(at, 8);
        end = start + line_cursor_uleb(at);
        break;
    default:
        at->has_failed = true;
    }
    return at->has_failed || give(reading, start, end);
}

static bool read_list(struct reading *reading)
{
    for (int i = 0; i < DEBUG_RANGES_MAX; i++) {
        unsigned kind = (unsigned)line_cursor_number(&reading->at, 1);
        if (reading->at.has_failed || kind == END_OF_LIST) {
            return true;
        }
        if (kind == BASE_ADDRESSX) {
            reading->base = indexed(reading);
        } else if (kind == BASE_ADDRESS) {
            reading->base = line_cursor_number(&reading->at, 8);
        } else if (!read_pair(reading, kind)) {
            return false;
        }
    }
    return true;
}

static bool read_listed(struct reading *reading, const struct debug_value *ranges)
{
    const struct debug_unit *unit = reading->unit;
    struct text lists = unit->sections->rnglists;
    uint64_t offset = ranges->number;
    if (unit->version < 5) {
        reading->at = cursor_at(unit->sections->ranges, offset);
        return read_words(reading);
    }
    if (ranges->form == FORM_RNGLISTX && offset <= UINT32_MAX) {
        struct line_cursor at = cursor_at(lists, unit->rnglists_base + 4 * offset);
        offset = unit->rnglists_base + line_cursor_number(&at, 4);
    }
    reading->at = cursor_at(lists, offset);
    return read_list(reading);
}

bool debug_ranges_read(const struct debug_unit *unit, const struct debug_entry *entry,
                       debug_ranges_take take, void *context)
{
    struct reading reading = {.unit = unit, .base = unit->base, .take = take, .context = context};
    uint64_t start = 0;
    uint64_t end = 0;
    if (entry->ranges.form != 0) {
        return read_listed(&reading, &entry->ranges);
    }
    if (entry->high.form == 0 || !debug_unit_address(unit, &entry->low, &start)) {
        return true;
    }
    if (!debug_unit_address(unit, &entry->high, &end)) {
        end = start + entry->high.number; // a length
    }
    return give(&reading, start, end);
}

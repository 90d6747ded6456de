// SPDX-License-Identifier: Apache-2.0
#include "store/capture_names.h"

#include "model/profile_parts.h"

#include <stdio.h>

static uint32_t string_cnt(const struct profile *profile)
{
    return string_table_count(profile->dictionary.strings);
}

// A string that is there.
static string_id take_string(const struct profile *profile, struct byte_cursor *cursor)
{
    uint64_t id = byte_cursor_varint(cursor);
    cursor->is_bad |= id >= string_cnt(profile);
    return cursor->is_bad ? 0 : (string_id)id;
}

static bool add_value(struct profile_dimension *dimension, uint32_t cnt, int64_t value)
{
    int64_t *values = NULL;
    if (cnt < INT32_MAX) {
        values = profile_with_room((void *)dimension->values, cnt, sizeof *values);
    }
    if (values == NULL) {
        return false;
    }
    values[cnt] = value;
    dimension->values = values;
    dimension->value_cnt = cnt + 1;
    return true;
}

static bool read_strings(struct profile *profile, struct byte_cursor *list)
{
    uint64_t cnt = byte_cursor_varint(list);
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        uint32_t expected = string_cnt(profile);
        struct text text = byte_cursor_text(list);
        list->is_bad |= string_table_intern(profile->dictionary.strings, text) != expected;
    }
    return !list->is_bad;
}

static bool read_frames(struct profile *profile, struct byte_cursor *list)
{
    uint64_t cnt = byte_cursor_varint(list);
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        struct profile_frame frame = {.name = take_string(profile, list)};
        frame.file = take_string(profile, list);
        frame.line = (uint32_t)byte_cursor_varint(list);
        uint8_t kind = byte_cursor_u8(list);
        frame.kind =
            kind < PROFILE_FRAME_KIND_CNT ? (enum profile_frame_kind)kind : PROFILE_FRAME_UNKNOWN;
        frame.address = byte_cursor_varint(list);
        list->is_bad |= !profile_dictionary_restore_frame(&profile->dictionary, &frame);
    }
    return !list->is_bad;
}

static bool read_stacks(struct profile *profile, struct byte_cursor *list)
{
    uint64_t cnt = byte_cursor_varint(list);
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        uint32_t id = profile->dictionary.node_cnt;
        uint64_t up = byte_cursor_varint(list);
        uint64_t frame = byte_cursor_varint(list);
        if (up == 0 || up > id || frame >= profile->dictionary.frame_cnt) {
            list->is_bad = true;
            break;
        }
        struct profile_node node = {id - (uint32_t)up, (frame_id)frame};
        list->is_bad |= !profile_dictionary_restore_stack(&profile->dictionary, node);
    }
    return !list->is_bad;
}

// Those that every profile has are what they are.
static bool is_fixed_right(const struct profile *profile, uint64_t idx, string_id name,
                           uint8_t kind)
{
    const struct profile_fixed_dimension *fixed =
        idx < PROFILE_FIXED_DIMENSION_CNT ? profile_fixed_dimension((uint32_t)idx) : NULL;
    return fixed == NULL ||
           (fixed->kind == kind && text_equal(profile_text(profile, name), fixed->name));
}

static struct profile_dimension *take_dimension(struct profile *profile, struct byte_cursor *list)
{
    uint64_t idx = byte_cursor_varint(list);
    string_id name = take_string(profile, list);
    uint8_t kind = byte_cursor_u8(list);
    bool is_root_frame = byte_cursor_u8(list) != 0;
    list->is_bad |= idx > profile->dimension_cnt || idx >= PROFILE_MAX_DIMENSIONS ||
                    kind > PROFILE_DIMENSION_NUMBER || !is_fixed_right(profile, idx, name, kind);
    if (list->is_bad) {
        return NULL;
    }
    struct profile_dimension *dimension = &profile->dimensions[idx];
    if (idx == profile->dimension_cnt) {
        *dimension =
            (struct profile_dimension){.name = name, .kind = (enum profile_dimension_kind)kind};
        profile->dimension_cnt++;
        list->is_bad |= !add_value(dimension, 0, 0) ||
                        !profile_column_append_same(&dimension->codes, 0, profile->row_cnt);
    }
    list->is_bad |= kind != dimension->kind;
    dimension->is_root_frame = is_root_frame;
    return dimension;
}

static bool read_dimension(struct profile *profile, struct byte_cursor *list)
{
    struct profile_dimension *dimension = take_dimension(profile, list);
    uint64_t first = byte_cursor_varint(list);
    uint64_t cnt = byte_cursor_varint(list);
    if (list->is_bad || dimension == NULL || first != dimension->value_cnt ||
        cnt > byte_cursor_left(list)) {
        return false;
    }
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        int64_t value = byte_cursor_signed(list);
        bool is_known = dimension->kind == PROFILE_DIMENSION_NUMBER ||
                        (value > 0 && value < string_cnt(profile));
        if (!is_known || !add_value(dimension, dimension->value_cnt, value)) {
            return false;
        }
    }
    return !list->is_bad;
}

static bool read_metric(struct profile *profile, struct byte_cursor *list)
{
    uint64_t idx = byte_cursor_varint(list);
    string_id name = take_string(profile, list);
    string_id unit = take_string(profile, list);
    bool has_delta = byte_cursor_u8(list) != 0;
    if (list->is_bad || idx > profile->metric_cnt || idx >= PROFILE_MAX_METRICS) {
        return false;
    }
    if (idx == profile->metric_cnt) {
        profile->metrics[idx] = (struct profile_metric){.name = name, .unit = unit};
        profile->metric_cnt++;
    }
    profile->metrics[idx].has_delta = has_delta;
    return true;
}

static bool read_facts(struct profile *profile, struct profile_source *source,
                       struct byte_cursor *list)
{
    uint64_t cnt = byte_cursor_varint(list);
    if (cnt > byte_cursor_left(list)) {
        return false;
    }
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        struct profile_fact fact = {.key = take_string(profile, list)};
        fact.value = take_string(profile, list);
        fact.is_footer = byte_cursor_u8(list) != 0;
        if (!profile_add_fact(source, fact)) {
            return false;
        }
    }
    return !list->is_bad;
}

static bool read_source(struct profile *profile, struct byte_cursor *list)
{
    uint64_t idx = byte_cursor_varint(list);
    if (list->is_bad || idx > profile->source_cnt || idx >= CAPTURE_MAX_SOURCES) {
        return false;
    }
    if (idx == profile->source_cnt && profile_add_source(profile) == NULL) {
        return false;
    }
    struct profile_source *source = &profile->sources[idx];
    source->name = take_string(profile, list);
    source->anchor.monotonic_ns = byte_cursor_varint(list);
    source->anchor.unix_ns = byte_cursor_varint(list);
    source->is_incomplete = byte_cursor_u8(list) != 0;
    return read_facts(profile, source, list);
}

static bool read_mappings(struct profile *profile, struct byte_cursor *list)
{
    uint64_t cnt = byte_cursor_varint(list);
    for (uint64_t i = 0; i < cnt && !list->is_bad; i++) {
        struct profile_mapping mapping = {.file = take_string(profile, list)};
        mapping.build_id = take_string(profile, list);
        mapping.start = byte_cursor_varint(list);
        mapping.end = byte_cursor_varint(list);
        mapping.offset = byte_cursor_varint(list);
        if (list->is_bad || !profile_add_mapping(profile, &mapping)) {
            return false;
        }
    }
    return !list->is_bad;
}

static bool read_stats(struct profile *profile, struct byte_cursor *list)
{
    struct profile_input_stats *stats = &profile->stats;
    stats->byte_cnt = byte_cursor_varint(list);
    stats->line_cnt = byte_cursor_varint(list);
    stats->malformed_cnt = byte_cursor_varint(list);
    stats->dropped_cnt = byte_cursor_varint(list);
    stats->refused_cnt = byte_cursor_varint(list);
    stats->unsorted_cnt = byte_cursor_varint(list);
    stats->malformed_line = byte_cursor_varint(list);
    struct text text = byte_cursor_text(list);
    (void)snprintf(stats->malformed, sizeof stats->malformed, "%.*s", (int)text.len, text.bytes);
    return !list->is_bad;
}

static bool read_list(struct profile *profile, uint8_t kind, struct byte_cursor *list)
{
    switch (kind) {
    case CAPTURE_LIST_STRINGS:
        return read_strings(profile, list);
    case CAPTURE_LIST_FRAMES:
        return read_frames(profile, list);
    case CAPTURE_LIST_STACKS:
        return read_stacks(profile, list);
    case CAPTURE_LIST_DIMENSION:
        return read_dimension(profile, list);
    case CAPTURE_LIST_METRIC:
        return read_metric(profile, list);
    case CAPTURE_LIST_SOURCE:
        return read_source(profile, list);
    case CAPTURE_LIST_MAPPINGS:
        return read_mappings(profile, list);
    case CAPTURE_LIST_STATS:
        return read_stats(profile, list);
    default:
        return true; // of a later version
    }
}

bool capture_names_read(struct profile *profile, struct byte_cursor *cursor)
{
    while (byte_cursor_left(cursor) > 0) {
        uint8_t kind = byte_cursor_u8(cursor);
        uint32_t len = byte_cursor_u32(cursor);
        const unsigned char *bytes = byte_cursor_take(cursor, len);
        if (bytes == NULL) {
            return false;
        }
        struct byte_cursor list = byte_cursor_of(bytes, len);
        if (!read_list(profile, kind, &list)) {
            return false;
        }
    }
    return true;
}

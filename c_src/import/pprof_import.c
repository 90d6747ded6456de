// SPDX-License-Identifier: Apache-2.0
#include "import/pprof_import.h"

#include "base/number_map.h"
#include "import/input_trouble.h"
#include "import/protobuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEPTH = 4096, MAX_LABELS = 32 };

// Fields of profile.proto.
enum profile_field {
    SAMPLE_TYPE = 1,
    SAMPLE = 2,
    MAPPING = 3,
    LOCATION = 4,
    FUNCTION = 5,
    STRING_TABLE = 6,
    TIME_NANOS = 9,
    DURATION_NANOS = 10,
    COMMENT = 13,
};

struct function {
    string_id name;
    string_id file;
};

// The frames of a location, outermost first, in `frames`.
struct location {
    uint32_t first;
    uint32_t cnt;
};

// Entries by dense ids that begin with 1; the message's own ids are any numbers.
struct table {
    struct number_map ids;
    uint32_t cnt;
    uint32_t capacity;
};

struct label {
    uint32_t dimension;
    uint32_t code;
};

struct pprof_import {
    struct profile_builder *builder;
    struct profile_input_stats *stats;
    struct text *strings;
    uint32_t string_cnt;
    uint32_t string_capacity;
    struct table functions;
    struct function *function_entries;
    struct table mappings;
    string_id *mapping_entries; // file names
    struct table locations;
    struct location *location_entries;
    frame_id *frames;
    uint32_t frame_cnt;
    uint32_t frame_capacity;
    int metrics[PROFILE_MAX_METRICS];
    uint32_t metric_cnt;
    uint64_t time_ns;
    // Of the sample that is being read.
    uint64_t path[MAX_DEPTH]; // ids of locations, leaf first
    uint32_t path_len;
    int64_t values[PROFILE_MAX_METRICS];
    uint32_t value_cnt;
    struct label labels[MAX_LABELS];
    uint32_t label_cnt;
    uint64_t sample_ns;
};

struct pprof_import *pprof_import_create(struct profile_builder *builder)
{
    struct pprof_import *import = calloc(1, sizeof *import);
    if (import != NULL) {
        import->builder = builder;
        import->stats = &profile_builder_profile(builder)->stats;
    }
    return import;
}

void pprof_import_destroy(struct pprof_import *import)
{
    if (import == NULL) {
        return;
    }
    number_map_deinit(&import->functions.ids);
    number_map_deinit(&import->mappings.ids);
    number_map_deinit(&import->locations.ids);
    free(import->strings);
    free(import->function_entries);
    free(import->mapping_entries);
    free(import->location_entries);
    free(import->frames);
    free(import);
}

// --- tables -------------------------------------------------------------------

static struct text string_at(const struct pprof_import *import, uint64_t idx)
{
    return idx < import->string_cnt ? import->strings[idx] : TEXT("");
}

static string_id intern(struct pprof_import *import, uint64_t idx)
{
    return profile_builder_string(import->builder, string_at(import, idx));
}

// The entries with room for one more; NULL when out of memory.
static void *with_room(void *entries, uint32_t cnt, uint32_t *capacity, size_t size)
{
    if (cnt < *capacity) {
        return entries;
    }
    uint32_t wanted = cnt < 64 ? 64 : cnt * 2;
    void *grown = cnt < UINT32_MAX / 4 ? realloc(entries, wanted * size) : NULL;
    *capacity = grown == NULL ? *capacity : wanted;
    return grown;
}

// Index of a new entry, whose place is there; false when the id is taken or memory short.
static bool add_id(struct table *table, uint64_t id, uint32_t *idx)
{
    if (number_map_find(&table->ids, id) != 0 || !number_map_add(&table->ids, id, table->cnt + 1)) {
        return false;
    }
    *idx = table->cnt++;
    return true;
}

static bool add_string(struct pprof_import *import, struct text text)
{
    struct text *strings =
        with_room(import->strings, import->string_cnt, &import->string_capacity, sizeof *strings);
    if (strings == NULL) {
        return false;
    }
    import->strings = strings;
    import->strings[import->string_cnt++] = text;
    return true;
}

static bool add_function(struct pprof_import *import, struct text message)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint64_t id = 0;
    uint64_t name = 0;
    uint64_t file = 0;
    while (protobuf_next(&cursor, &field)) {
        id = field.number == 1 ? field.value : id;
        name = field.number == 2 ? field.value : name;
        file = field.number == 4 ? field.value : file;
    }
    uint32_t idx = 0;
    struct function *entries = with_room(import->function_entries, import->functions.cnt,
                                         &import->functions.capacity, sizeof *entries);
    import->function_entries = entries == NULL ? import->function_entries : entries;
    if (entries == NULL || !add_id(&import->functions, id, &idx)) {
        return false;
    }
    entries[idx] = (struct function){intern(import, name), intern(import, file)};
    return !cursor.is_bad;
}

static bool add_mapping(struct pprof_import *import, struct text message)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint64_t fields[7] = {0}; // id, start, limit, offset, file, build id
    while (protobuf_next(&cursor, &field)) {
        if (field.number < 7 && !field.is_bytes) {
            fields[field.number] = field.value;
        }
    }
    struct profile_mapping mapping = {
        .file = intern(import, fields[5]),
        .build_id = intern(import, fields[6]),
        .start = fields[2],
        .end = fields[3],
        .offset = fields[4],
    };
    uint32_t idx = 0;
    string_id *entries = with_room(import->mapping_entries, import->mappings.cnt,
                                   &import->mappings.capacity, sizeof *entries);
    import->mapping_entries = entries == NULL ? import->mapping_entries : entries;
    if (entries == NULL || !add_id(&import->mappings, fields[1], &idx)) {
        return false;
    }
    entries[idx] = mapping.file;
    profile_builder_mapping(import->builder, &mapping);
    return !cursor.is_bad;
}

// --- locations ----------------------------------------------------------------

static bool push_frame(struct pprof_import *import, const struct profile_frame *frame)
{
    frame_id *frames =
        with_room(import->frames, import->frame_cnt, &import->frame_capacity, sizeof *frames);
    if (frames == NULL) {
        return false;
    }
    import->frames = frames;
    frames[import->frame_cnt++] =
        profile_dictionary_frame(&profile_builder_profile(import->builder)->dictionary, frame);
    return true;
}

static bool add_line(struct pprof_import *import, struct text message, struct profile_frame frame)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint32_t function = 0;
    while (protobuf_next(&cursor, &field)) {
        if (field.number == 1) {
            function = number_map_find(&import->functions.ids, field.value);
        } else if (field.number == 2) {
            frame.line = field.value <= UINT32_MAX ? (uint32_t)field.value : 0;
        }
    }
    if (function != 0) {
        const struct function *of = &import->function_entries[function - 1];
        frame.name = of->name;
        frame.file = of->file != 0 ? of->file : frame.file;
    }
    return push_frame(import, &frame) && !cursor.is_bad;
}

static void reverse(frame_id *frames, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt / 2; i++) {
        frame_id first = frames[i];
        frames[i] = frames[cnt - 1 - i];
        frames[cnt - 1 - i] = first;
    }
}

// What its fields say besides the lines.
static uint64_t location_facts(const struct pprof_import *import, struct text message,
                               struct profile_frame *frame)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint64_t id = 0;
    while (protobuf_next(&cursor, &field)) {
        if (field.number == 1) {
            id = field.value;
        } else if (field.number == 2) {
            uint32_t mapping = number_map_find(&import->mappings.ids, field.value);
            frame->file = mapping == 0 ? 0 : import->mapping_entries[mapping - 1];
        } else if (field.number == 3) {
            frame->address = field.value;
        }
    }
    return id;
}

// Lines come innermost first.
static bool add_location(struct pprof_import *import, struct text message)
{
    struct profile_frame frame = {0};
    uint64_t id = location_facts(import, message, &frame);
    struct location location = {.first = import->frame_cnt};
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    bool ok = true;
    while (ok && protobuf_next(&cursor, &field)) {
        ok = field.number != 4 || !field.is_bytes || add_line(import, field.bytes, frame);
    }
    if (ok && import->frame_cnt == location.first) { // without symbols
        frame.name = profile_builder_string(import->builder, TEXT("[unknown]"));
        ok = push_frame(import, &frame);
    }
    location.cnt = import->frame_cnt - location.first;
    if (ok) {
        reverse(import->frames + location.first, location.cnt);
    }
    uint32_t idx = 0;
    struct location *entries = with_room(import->location_entries, import->locations.cnt,
                                         &import->locations.capacity, sizeof *entries);
    import->location_entries = entries == NULL ? import->location_entries : entries;
    if (!ok || entries == NULL || !add_id(&import->locations, id, &idx)) {
        return false;
    }
    entries[idx] = location;
    return !cursor.is_bad;
}

// --- samples ------------------------------------------------------------------

static void take_location(void *context, uint64_t id)
{
    struct pprof_import *import = context;
    if (import->path_len < MAX_DEPTH) {
        import->path[import->path_len++] = id;
    } else {
        import->stats->dropped_cnt++;
    }
}

static void take_value(void *context, uint64_t value)
{
    struct pprof_import *import = context;
    if (import->value_cnt < PROFILE_MAX_METRICS) {
        import->values[import->value_cnt++] = (int64_t)value;
    }
}

// The dimension of a label: its name where that is free or of the same kind.
static int dimension_of(struct pprof_import *import, struct text key,
                        enum profile_dimension_kind kind)
{
    char name[128];
    const struct profile *profile = profile_builder_profile(import->builder);
    int found = profile_find_dimension(profile, key);
    bool fits = found == PROFILE_NONE ||
                (profile->dimensions[found].kind == kind && found != PROFILE_SOURCE);
    if (fits) {
        return profile_builder_dimension(import->builder, key, kind, false);
    }
    (void)snprintf(name, sizeof name, "label_%.*s", (int)key.len, key.bytes);
    found = profile_builder_dimension(import->builder, text_of(name), kind, false);
    return found == PROFILE_NONE || profile->dimensions[found].kind == kind ? found : PROFILE_NONE;
}

static void take_label(struct pprof_import *import, struct text message)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint64_t fields[5] = {0}; // key, string, number, unit
    while (protobuf_next(&cursor, &field)) {
        if (field.number < 5 && !field.is_bytes) {
            fields[field.number] = field.value;
        }
    }
    struct text key = string_at(import, fields[1]);
    struct text text = string_at(import, fields[2]);
    if (text_equal(key, TEXT("timestamp")) && text.len == 0) {
        import->sample_ns = fields[3];
        return;
    }
    enum profile_dimension_kind kind =
        text.len > 0 ? PROFILE_DIMENSION_TEXT : PROFILE_DIMENSION_NUMBER;
    int dimension = key.len == 0 || import->label_cnt == MAX_LABELS
                        ? PROFILE_NONE
                        : dimension_of(import, key, kind);
    if (dimension == PROFILE_NONE) {
        import->stats->dropped_cnt++;
        return;
    }
    import->labels[import->label_cnt++] = (struct label){
        (uint32_t)dimension,
        text.len > 0
            ? profile_builder_text(import->builder, (uint32_t)dimension, text)
            : profile_builder_number(import->builder, (uint32_t)dimension, (int64_t)fields[3])};
}

// False when a location is not there.
static bool path_stack(struct pprof_import *import, stack_id *stack)
{
    struct profile_dictionary *dictionary = &profile_builder_profile(import->builder)->dictionary;
    *stack = 0;
    for (uint32_t i = import->path_len; i > 0; i--) {
        uint32_t found = number_map_find(&import->locations.ids, import->path[i - 1]);
        if (found == 0) {
            return false;
        }
        const struct location *location = &import->location_entries[found - 1];
        for (uint32_t k = 0; k < location->cnt; k++) {
            *stack =
                profile_dictionary_stack(dictionary, *stack, import->frames[location->first + k]);
        }
    }
    return true;
}

static bool add_sample(struct pprof_import *import, struct text message)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    stack_id stack = 0;
    import->path_len = import->value_cnt = import->label_cnt = 0;
    import->sample_ns = import->time_ns;
    bool ok = true;
    while (ok && protobuf_next(&cursor, &field)) {
        if (field.number == 1) {
            ok = protobuf_numbers(&field, take_location, import);
        } else if (field.number == 2) {
            ok = protobuf_numbers(&field, take_value, import);
        } else if (field.number == 3 && field.is_bytes) {
            take_label(import, field.bytes);
        }
    }
    if (!ok || cursor.is_bad || !path_stack(import, &stack)) {
        return false;
    }
    profile_builder_begin_row(import->builder, import->sample_ns, stack, 0);
    for (uint32_t i = 0; i < import->label_cnt; i++) {
        profile_builder_set_code(import->builder, import->labels[i].dimension,
                                 import->labels[i].code);
    }
    for (uint32_t i = 0; i < import->value_cnt && i < import->metric_cnt; i++) {
        if (import->metrics[i] != PROFILE_NONE) {
            profile_builder_set_value(import->builder, (uint32_t)import->metrics[i],
                                      import->values[i]);
        }
    }
    profile_builder_end_row(import->builder);
    return true;
}

// --- the message --------------------------------------------------------------

static bool add_sample_type(struct pprof_import *import, struct text message)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    uint64_t type = 0;
    uint64_t unit = 0;
    while (protobuf_next(&cursor, &field)) {
        type = field.number == 1 ? field.value : type;
        unit = field.number == 2 ? field.value : unit;
    }
    if (import->metric_cnt == PROFILE_MAX_METRICS) {
        return false;
    }
    import->metrics[import->metric_cnt++] =
        profile_builder_metric(import->builder, string_at(import, type), string_at(import, unit));
    return !cursor.is_bad;
}

static void tell_time(struct pprof_import *import, const char *key, uint64_t ns)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, ns);
    profile_builder_fact(import->builder, text_of(key), text_of(digits));
}

// Times are those of the wall clock.
static bool take_number(struct pprof_import *import, const struct protobuf_field *field)
{
    if (field->number == TIME_NANOS && field->value != 0) {
        import->time_ns = field->value;
        tell_time(import, "clock_anchor_monotonic_ns", field->value);
        tell_time(import, "clock_anchor_unix_ns", field->value);
    } else if (field->number == DURATION_NANOS && field->value != 0) {
        tell_time(import, "duration_ns", field->value);
    } else if (field->number == COMMENT) {
        profile_builder_fact(import->builder, TEXT("comment"), string_at(import, field->value));
    }
    return true;
}

static bool take_message(struct pprof_import *import, const struct protobuf_field *field)
{
    switch (field->number) {
    case SAMPLE_TYPE:
        return add_sample_type(import, field->bytes);
    case SAMPLE:
        return add_sample(import, field->bytes);
    case MAPPING:
        return add_mapping(import, field->bytes);
    case LOCATION:
        return add_location(import, field->bytes);
    case FUNCTION:
        return add_function(import, field->bytes);
    case STRING_TABLE:
        return add_string(import, field->bytes);
    default:
        return true;
    }
}

// Fields come in any order: one kind after the other, those first that others refer to.
static void read_fields(struct pprof_import *import, struct text message, uint32_t wanted)
{
    struct byte_cursor cursor = byte_cursor_of(message.bytes, message.len);
    struct protobuf_field field;
    while (protobuf_next(&cursor, &field)) {
        bool is_wanted = field.number == wanted || (wanted == TIME_NANOS && !field.is_bytes);
        if (is_wanted &&
            !(field.is_bytes ? take_message(import, &field) : take_number(import, &field))) {
            import->stats->line_cnt++;
            input_trouble_add(import->stats, TEXT("a field of a pprof message"));
        }
    }
    if (cursor.is_bad && wanted == SAMPLE) {
        input_trouble_add(import->stats, TEXT("the pprof message ends early"));
    }
}

size_t pprof_import_feed(struct pprof_import *import, const char *bytes, size_t len, bool is_last)
{
    static const uint32_t ORDER[] = {STRING_TABLE, TIME_NANOS, SAMPLE_TYPE, MAPPING,
                                     FUNCTION,     LOCATION,   SAMPLE};
    if (!is_last || len > UINT32_MAX) {
        return 0;
    }
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        read_fields(import, (struct text){bytes, (uint32_t)len}, ORDER[i]);
    }
    import->stats->byte_cnt += len;
    return len;
}

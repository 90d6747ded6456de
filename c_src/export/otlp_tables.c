// SPDX-License-Identifier: Apache-2.0
#include "export/otlp_tables.h"

#include "export/object_file.h"

#include <stdlib.h>

enum {
    TABLES_MAX_BYTES = 1 << 30,
    // ProfilesDictionary
    DICTIONARY_MAPPING = 1,
    DICTIONARY_LOCATION = 2,
    DICTIONARY_FUNCTION = 3,
    DICTIONARY_LINK = 4,
    DICTIONARY_STRING = 5,
    DICTIONARY_ATTRIBUTE = 6,
    DICTIONARY_STACK = 7,
    // Mapping
    MAPPING_START = 1,
    MAPPING_LIMIT = 2,
    MAPPING_OFFSET = 3,
    MAPPING_FILE = 4,
    MAPPING_ATTRIBUTES = 5,
    // Location
    LOCATION_MAPPING = 1,
    LOCATION_ADDRESS = 2,
    LOCATION_LINES = 3,
    LOCATION_ATTRIBUTES = 4,
    // Line
    LINE_FUNCTION = 1,
    LINE_LINE = 2,
    // Function
    FUNCTION_NAME = 1,
    FUNCTION_SYSTEM_NAME = 2,
    FUNCTION_FILE = 3,
    // Stack
    STACK_LOCATIONS = 1,
    // KeyValueAndUnit
    ATTRIBUTE_KEY = 1,
    ATTRIBUTE_VALUE = 2,
    // AnyValue
    VALUE_TEXT = 1,
    VALUE_NUMBER = 3,
};

static void add_zero_values(struct otlp_tables *tables)
{
    static const uint32_t TABLES[] = {DICTIONARY_MAPPING,  DICTIONARY_LOCATION,
                                      DICTIONARY_FUNCTION, DICTIONARY_LINK,
                                      DICTIONARY_STACK,    DICTIONARY_ATTRIBUTE};
    struct text zero = {NULL, 0};
    for (size_t i = 0; i < sizeof TABLES / sizeof TABLES[0]; i++) {
        proto_element(&tables->out, TABLES[i], zero);
    }
}

static bool allocate(struct otlp_tables *tables)
{
    const struct profile *profile = tables->profile;
    const struct profile_dictionary *dictionary = &profile->dictionary;
    uint32_t string_cnt = string_table_count(dictionary->strings) + 1;
    tables->function_index = calloc(dictionary->frame_cnt + 1, sizeof *tables->function_index);
    tables->location_index = calloc(dictionary->frame_cnt + 1, sizeof *tables->location_index);
    tables->mapping_index = calloc(string_cnt, sizeof *tables->mapping_index);
    tables->stack_index = calloc(dictionary->node_cnt + 1, sizeof *tables->stack_index);
    bool ok = tables->function_index != NULL && tables->location_index != NULL &&
              tables->mapping_index != NULL && tables->stack_index != NULL;
    for (uint32_t d = 0; d < profile->dimension_cnt && ok; d++) {
        tables->attributes[d] =
            calloc(profile->dimensions[d].value_cnt + 1, sizeof *tables->attributes[d]);
        ok = tables->attributes[d] != NULL;
    }
    return ok;
}

bool otlp_tables_init(struct otlp_tables *tables, const struct profile *profile)
{
    *tables = (struct otlp_tables){.profile = profile};
    byte_buffer_init(&tables->out, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->part, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->list, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->line, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->valid, TABLES_MAX_BYTES);
    bool ok = proto_strings_init(&tables->strings, profile, &tables->out, DICTIONARY_STRING);
    add_zero_values(tables);
    return ok && function_map_init(&tables->functions, &profile->dictionary) && allocate(tables);
}

void otlp_tables_deinit(struct otlp_tables *tables)
{
    proto_strings_deinit(&tables->strings);
    function_map_deinit(&tables->functions);
    free(tables->function_index);
    free(tables->location_index);
    free(tables->mapping_index);
    free(tables->stack_index);
    for (uint32_t d = 0; d < PROFILE_MAX_DIMENSIONS; d++) {
        free(tables->attributes[d]);
    }
    byte_buffer_deinit(&tables->out);
    byte_buffer_deinit(&tables->part);
    byte_buffer_deinit(&tables->list);
    byte_buffer_deinit(&tables->line);
    byte_buffer_deinit(&tables->valid);
    *tables = (struct otlp_tables){.profile = NULL};
}

// --- attributes ---------------------------------------------------------------

void otlp_tables_text_value(struct otlp_tables *tables, struct byte_buffer *message, uint32_t field,
                            struct text value)
{
    // An empty text is one, too: the field says which kind of value it is.
    proto_utf8(&tables->list, VALUE_TEXT, value, &tables->valid);
    proto_submessage(message, field, &tables->list);
}

static uint32_t add_attribute(struct otlp_tables *tables, struct text key)
{
    struct byte_buffer *part = &tables->part; // has its value
    proto_number(part, ATTRIBUTE_KEY, proto_strings_text(&tables->strings, key));
    proto_submessage(&tables->out, DICTIONARY_ATTRIBUTE, part);
    return ++tables->attribute_cnt;
}

static uint32_t add_text_attribute(struct otlp_tables *tables, struct text key, struct text value)
{
    otlp_tables_text_value(tables, &tables->part, ATTRIBUTE_VALUE, value);
    return add_attribute(tables, key);
}

// Of a VM alone the "thread" is an Erlang process.
static bool is_of_vm(const struct profile *profile)
{
    return profile->dimensions[PROFILE_COMM].value_cnt < 2;
}

struct text otlp_tables_key(struct otlp_tables *tables, uint32_t dimension)
{
    static const char *const FIXED[] = {
        [PROFILE_SOURCE] = "profile.source",
        [PROFILE_EVENT] = "profile.event",
        [PROFILE_STATUS] = "beam.process.status",
        [PROFILE_STATE] = "beam.scheduler.state",
        [PROFILE_COMM] = "thread.name",
        [PROFILE_PID] = "process.pid",
        [PROFILE_TID] = "thread.id",
        [PROFILE_CPU] = "cpu.logical_number",
    };
    static const struct {
        const char *name;
        const char *key;
    } KNOWN[] = {
        {"container", "container.name"},
        {"runtime", "process.runtime.name"},
        {"node", "beam.node"},
        {"scheduler", "beam.scheduler.number"},
        {"dirty_cpu", "beam.dirty_cpu.number"},
        {"dirty_io", "beam.dirty_io.number"},
    };
    static const char *const OF_PROCESS[] = {"registered", "initial_call", "memory",
                                             "mailbox",    "priority",     "label",
                                             "parent",     "ancestors",    "application"};
    static const char *const PROCESS_KEYS[] = {
        "beam.process.registered_name", "beam.process.initial_call", "beam.process.memory",
        "beam.process.mailbox",         "beam.process.priority",     "beam.process.label",
        "beam.process.parent",          "beam.process.ancestors",    "beam.process.application"};
    const struct profile *profile = tables->profile;
    struct text name = profile_text(profile, profile->dimensions[dimension].name);
    if (dimension == PROFILE_TID && is_of_vm(profile)) {
        return TEXT("beam.process.number");
    }
    if (dimension < PROFILE_FIXED_DIMENSION_CNT) {
        return text_of(FIXED[dimension]);
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (text_equal(name, text_of(KNOWN[i].name))) {
            return text_of(KNOWN[i].key);
        }
    }
    for (size_t i = 0; i < sizeof OF_PROCESS / sizeof OF_PROCESS[0]; i++) {
        if (text_equal(name, text_of(OF_PROCESS[i]))) {
            return text_of(PROCESS_KEYS[i]);
        }
    }
    return name;
}

uint32_t otlp_tables_attribute(struct otlp_tables *tables, uint32_t dimension, uint32_t code)
{
    const struct profile_dimension *of = &tables->profile->dimensions[dimension];
    uint32_t *index = &tables->attributes[dimension][code];
    if (*index != 0) {
        return *index;
    }
    if (of->kind == PROFILE_DIMENSION_TEXT) {
        struct text value = profile_text(tables->profile, (string_id)of->values[code]);
        *index = add_text_attribute(tables, otlp_tables_key(tables, dimension), value);
    } else {
        proto_number_element(&tables->list, VALUE_NUMBER, (uint64_t)of->values[code]);
        proto_submessage(&tables->part, ATTRIBUTE_VALUE, &tables->list);
        *index = add_attribute(tables, otlp_tables_key(tables, dimension));
    }
    return *index;
}

// 0 where there is no word for it.
static uint32_t frame_type_of(struct otlp_tables *tables, enum profile_frame_kind kind)
{
    const char *name = kind == PROFILE_FRAME_KERNEL                                    ? "kernel"
                       : kind == PROFILE_FRAME_BEAM                                    ? "beam"
                       : kind == PROFILE_FRAME_NATIVE || kind == PROFILE_FRAME_INLINED ? "native"
                                                                                       : NULL;
    uint32_t *index = &tables->frame_types[kind];
    if (*index == 0 && name != NULL) {
        *index = add_text_attribute(tables, TEXT("profile.frame.type"), text_of(name));
    }
    return *index;
}

// --- code ---------------------------------------------------------------------

static void put_attribute(struct otlp_tables *tables, struct byte_buffer *part, uint32_t field,
                          uint32_t index)
{
    if (index != 0) {
        proto_varint(&tables->list, index);
        proto_submessage(part, field, &tables->list);
    }
}

static uint32_t mapping_of(struct otlp_tables *tables, const struct profile_frame *frame)
{
    if (!object_file_has(frame)) {
        return 0;
    }
    uint32_t *index = &tables->mapping_index[frame->file];
    if (*index == 0) {
        struct object_file object = object_file_find(tables->profile, frame->file);
        uint32_t name = proto_strings_id(&tables->strings, frame->file);
        uint32_t build_id =
            object.build_id.len == 0
                ? 0
                : add_text_attribute(tables, TEXT("process.executable.build_id.gnu"),
                                     object.build_id);
        *index = ++tables->mapping_cnt;
        proto_number(&tables->part, MAPPING_START, object.start);
        proto_number(&tables->part, MAPPING_LIMIT, object.end);
        proto_number(&tables->part, MAPPING_OFFSET, object.offset);
        proto_number(&tables->part, MAPPING_FILE, name);
        put_attribute(tables, &tables->part, MAPPING_ATTRIBUTES, build_id);
        proto_submessage(&tables->out, DICTIONARY_MAPPING, &tables->part);
    }
    return *index;
}

static uint32_t function_of(struct otlp_tables *tables, frame_id frame)
{
    frame_id first = tables->functions.of_frame[frame];
    uint32_t *index = &tables->function_index[first];
    if (*index == 0) {
        const struct profile_frame *of = &tables->profile->dictionary.frames[first];
        uint32_t name = proto_strings_id(&tables->strings, of->name);
        *index = ++tables->function_cnt;
        proto_number(&tables->part, FUNCTION_NAME, name);
        proto_number(&tables->part, FUNCTION_SYSTEM_NAME, name);
        proto_number(&tables->part, FUNCTION_FILE, proto_strings_id(&tables->strings, of->file));
        proto_submessage(&tables->out, DICTIONARY_FUNCTION, &tables->part);
    }
    return *index;
}

static uint32_t location_of(struct otlp_tables *tables, frame_id frame)
{
    uint32_t *index = &tables->location_index[frame];
    if (*index == 0) {
        const struct profile_frame *of = &tables->profile->dictionary.frames[frame];
        uint32_t type = frame_type_of(tables, of->kind);
        uint32_t mapping = mapping_of(tables, of);
        uint32_t function = function_of(tables, frame);
        *index = ++tables->location_cnt;
        proto_number(&tables->line, LINE_FUNCTION, function);
        proto_number(&tables->line, LINE_LINE, of->line);
        proto_number(&tables->part, LOCATION_MAPPING, mapping);
        proto_number(&tables->part, LOCATION_ADDRESS, of->address);
        proto_submessage(&tables->part, LOCATION_LINES, &tables->line);
        put_attribute(tables, &tables->part, LOCATION_ATTRIBUTES, type);
        proto_submessage(&tables->out, DICTIONARY_LOCATION, &tables->part);
    }
    return *index;
}

uint32_t otlp_tables_stack(struct otlp_tables *tables, stack_id stack)
{
    const struct profile_node *nodes = tables->profile->dictionary.nodes;
    uint32_t *index = &tables->stack_index[stack];
    if (*index != 0 || stack == 0) {
        return *index;
    }
    for (stack_id at = stack; at != 0; at = nodes[at].parent) {
        (void)location_of(tables, nodes[at].frame); // needs the scratch buffers
    }
    for (stack_id at = stack; at != 0; at = nodes[at].parent) {
        proto_varint(&tables->list, tables->location_index[nodes[at].frame]);
    }
    proto_submessage(&tables->part, STACK_LOCATIONS, &tables->list);
    proto_submessage(&tables->out, DICTIONARY_STACK, &tables->part);
    *index = ++tables->stack_cnt;
    return *index;
}

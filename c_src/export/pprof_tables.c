// SPDX-License-Identifier: Apache-2.0
#include "export/pprof_tables.h"

#include <stdlib.h>

enum {
    TABLES_MAX_BYTES = 1 << 30,
    OWN_STRINGS_MAX_BYTES = 1 << 20,
    OWN_STRINGS_MAX_CNT = 4096,
    // Mapping
    MAPPING_ID = 1,
    MAPPING_START = 2,
    MAPPING_LIMIT = 3,
    MAPPING_OFFSET = 4,
    MAPPING_FILE = 5,
    MAPPING_BUILD_ID = 6,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_FILENAMES = 8,
    MAPPING_HAS_LINES = 9,
    MAPPING_HAS_INLINES = 10,
    // Location
    LOCATION_ID = 1,
    LOCATION_MAPPING = 2,
    LOCATION_ADDRESS = 3,
    LOCATION_LINE = 4,
    // Line
    LINE_FUNCTION = 1,
    LINE_LINE = 2,
    // Function
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILE = 4,
};

bool pprof_tables_init(struct pprof_tables *tables, const struct profile *profile)
{
    const struct profile_dictionary *dictionary = &profile->dictionary;
    uint32_t string_cnt = string_table_count(dictionary->strings) + 1;
    *tables = (struct pprof_tables){.profile = profile};
    byte_buffer_init(&tables->out, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->part, TABLES_MAX_BYTES);
    byte_buffer_init(&tables->line, TABLES_MAX_BYTES);
    tables->own = string_table_create(OWN_STRINGS_MAX_BYTES);
    tables->string_index = calloc(string_cnt, sizeof *tables->string_index);
    tables->own_index = calloc(OWN_STRINGS_MAX_CNT, sizeof *tables->own_index);
    tables->own_capacity = OWN_STRINGS_MAX_CNT;
    tables->function_id = calloc(dictionary->frame_cnt + 1, sizeof *tables->function_id);
    tables->location_id = calloc(dictionary->frame_cnt + 1, sizeof *tables->location_id);
    tables->mapping_id = calloc(string_cnt, sizeof *tables->mapping_id);
    if (!function_map_init(&tables->functions, dictionary) || tables->own == NULL ||
        tables->string_index == NULL || tables->own_index == NULL || tables->function_id == NULL ||
        tables->location_id == NULL || tables->mapping_id == NULL) {
        return false;
    }
    // Index 0 is the empty string, by the format.
    proto_element(&tables->out, PPROF_STRING, (struct text){NULL, 0});
    tables->string_cnt = 1;
    return true;
}

void pprof_tables_deinit(struct pprof_tables *tables)
{
    function_map_deinit(&tables->functions);
    string_table_destroy(tables->own);
    byte_buffer_deinit(&tables->out);
    byte_buffer_deinit(&tables->part);
    byte_buffer_deinit(&tables->line);
    free(tables->string_index);
    free(tables->own_index);
    free(tables->function_id);
    free(tables->location_id);
    free(tables->mapping_id);
    *tables = (struct pprof_tables){.profile = NULL};
}

static uint32_t add_string(struct pprof_tables *tables, struct text text, uint32_t *index)
{
    if (text.len == 0) {
        return 0;
    }
    if (*index == 0) {
        *index = tables->string_cnt++;
        proto_element(&tables->out, PPROF_STRING, text);
    }
    return *index;
}

uint32_t pprof_tables_string(struct pprof_tables *tables, string_id id)
{
    return add_string(tables, profile_text(tables->profile, id), &tables->string_index[id]);
}

uint32_t pprof_tables_text(struct pprof_tables *tables, struct text text)
{
    string_id id = string_table_intern(tables->own, text);
    return id == 0 || id >= tables->own_capacity ? 0
                                                 : add_string(tables, text, &tables->own_index[id]);
}

static const struct profile_mapping *find_mapping(const struct profile *profile, string_id file)
{
    for (uint32_t i = 0; i < profile->mapping_cnt; i++) {
        if (profile->mappings[i].file == file) {
            return &profile->mappings[i];
        }
    }
    return NULL;
}

static void write_mapping(struct pprof_tables *tables, string_id file, uint32_t id)
{
    struct byte_buffer *part = &tables->part;
    const struct profile_mapping *known = find_mapping(tables->profile, file);
    uint32_t name = pprof_tables_string(tables, file);
    uint32_t build_id = known == NULL ? 0 : pprof_tables_string(tables, known->build_id);
    proto_number(part, MAPPING_ID, id);
    if (known != NULL) {
        proto_number(part, MAPPING_START, known->start);
        proto_number(part, MAPPING_LIMIT, known->end);
        proto_number(part, MAPPING_OFFSET, known->offset);
    }
    proto_number(part, MAPPING_FILE, name);
    proto_number(part, MAPPING_BUILD_ID, build_id);
    // Readers then do not look for symbols on their own machine.
    for (uint32_t has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_INLINES; has++) {
        proto_number(part, has, 1);
    }
    proto_submessage(&tables->out, PPROF_MAPPING, part);
}

// Object files and the kernel are mapped; source files are not.
static uint32_t mapping_of(struct pprof_tables *tables, const struct profile_frame *frame)
{
    bool is_object = frame->kind == PROFILE_FRAME_KERNEL || frame->kind == PROFILE_FRAME_NATIVE ||
                     frame->kind == PROFILE_FRAME_INLINED;
    if (!is_object || frame->file == 0) {
        return 0;
    }
    uint32_t *id = &tables->mapping_id[frame->file];
    if (*id == 0) {
        *id = ++tables->mapping_cnt;
        write_mapping(tables, frame->file, *id);
    }
    return *id;
}

static uint32_t function_of(struct pprof_tables *tables, frame_id frame)
{
    frame_id first = tables->functions.of_frame[frame];
    uint32_t *id = &tables->function_id[first];
    if (*id == 0) {
        const struct profile_frame *of = &tables->profile->dictionary.frames[first];
        uint32_t name = pprof_tables_string(tables, of->name);
        uint32_t file = pprof_tables_string(tables, of->file);
        *id = ++tables->function_cnt;
        proto_number(&tables->part, FUNCTION_ID, *id);
        proto_number(&tables->part, FUNCTION_NAME, name);
        proto_number(&tables->part, FUNCTION_SYSTEM_NAME, name);
        proto_number(&tables->part, FUNCTION_FILE, file);
        proto_submessage(&tables->out, PPROF_FUNCTION, &tables->part);
    }
    return *id;
}

uint32_t pprof_tables_location(struct pprof_tables *tables, frame_id frame)
{
    uint32_t *id = &tables->location_id[frame];
    if (*id == 0) {
        const struct profile_frame *of = &tables->profile->dictionary.frames[frame];
        uint32_t mapping = mapping_of(tables, of);
        uint32_t function = function_of(tables, frame);
        *id = ++tables->location_cnt;
        proto_number(&tables->line, LINE_FUNCTION, function);
        proto_number(&tables->line, LINE_LINE, of->line);
        proto_number(&tables->part, LOCATION_ID, *id);
        proto_number(&tables->part, LOCATION_MAPPING, mapping);
        proto_number(&tables->part, LOCATION_ADDRESS, of->address);
        proto_submessage(&tables->part, LOCATION_LINE, &tables->line);
        proto_submessage(&tables->out, PPROF_LOCATION, &tables->part);
    }
    return *id;
}

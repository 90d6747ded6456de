// SPDX-License-Identifier: Apache-2.0
#include "export/pprof_tables.h"

#include "export/object_file.h"

#include <stdlib.h>

enum {
    TABLES_MAX_BYTES = 1 << 30,
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
    bool has_strings = proto_strings_init(&tables->strings, profile, &tables->out, PPROF_STRING);
    tables->function_id = calloc(dictionary->frame_cnt + 1, sizeof *tables->function_id);
    tables->location_id = calloc(dictionary->frame_cnt + 1, sizeof *tables->location_id);
    tables->mapping_id = calloc(string_cnt, sizeof *tables->mapping_id);
    return function_map_init(&tables->functions, dictionary) && has_strings &&
           tables->function_id != NULL && tables->location_id != NULL && tables->mapping_id != NULL;
}

void pprof_tables_deinit(struct pprof_tables *tables)
{
    function_map_deinit(&tables->functions);
    proto_strings_deinit(&tables->strings);
    byte_buffer_deinit(&tables->out);
    byte_buffer_deinit(&tables->part);
    byte_buffer_deinit(&tables->line);
    free(tables->function_id);
    free(tables->location_id);
    free(tables->mapping_id);
    *tables = (struct pprof_tables){.profile = NULL};
}

static void write_mapping(struct pprof_tables *tables, string_id file, uint32_t id)
{
    struct byte_buffer *part = &tables->part;
    struct object_file object = object_file_find(tables->profile, file);
    uint32_t name = proto_strings_id(&tables->strings, file);
    uint32_t build_id = proto_strings_text(&tables->strings, object.build_id);
    proto_number(part, MAPPING_ID, id);
    proto_number(part, MAPPING_START, object.start);
    proto_number(part, MAPPING_LIMIT, object.end);
    proto_number(part, MAPPING_OFFSET, object.offset);
    proto_number(part, MAPPING_FILE, name);
    proto_number(part, MAPPING_BUILD_ID, build_id);
    // Readers then do not look for symbols on their own machine.
    for (uint32_t has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_INLINES; has++) {
        proto_number(part, has, 1);
    }
    proto_submessage(&tables->out, PPROF_MAPPING, part);
}

static uint32_t mapping_of(struct pprof_tables *tables, const struct profile_frame *frame)
{
    if (!object_file_has(frame)) {
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
        uint32_t name = proto_strings_id(&tables->strings, of->name);
        uint32_t file = proto_strings_id(&tables->strings, of->file);
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

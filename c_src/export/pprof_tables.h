// SPDX-License-Identifier: Apache-2.0
// The tables of a pprof profile (strings, mappings, functions, locations), made of what
// its samples use and nothing else. Ids are given in the order of first use. One owner,
// one thread.
// https://github.com/google/pprof/blob/d3a8a0ac3d1a/proto/profile.proto
#ifndef FLAME_PROF_EXPORT_PPROF_TABLES_H
#define FLAME_PROF_EXPORT_PPROF_TABLES_H

#include "export/proto_strings.h"
#include "query/function_map.h"

#include <stdbool.h>
#include <stdint.h>

// Fields of the message Profile.
enum pprof_field {
    PPROF_SAMPLE_TYPE = 1,
    PPROF_SAMPLE = 2,
    PPROF_MAPPING = 3,
    PPROF_LOCATION = 4,
    PPROF_FUNCTION = 5,
    PPROF_STRING = 6,
    PPROF_TIME_NANOS = 9,
    PPROF_DURATION_NANOS = 10,
    PPROF_COMMENT = 13,
    PPROF_DEFAULT_TYPE = 14,
};

struct pprof_tables {
    const struct profile *profile; // borrowed
    struct function_map functions;
    struct proto_strings strings;
    uint32_t *function_id; // by frame_id
    uint32_t *location_id; // by frame_id
    uint32_t *mapping_id;  // by string_id of the file
    uint32_t function_cnt;
    uint32_t location_cnt;
    uint32_t mapping_cnt;
    struct byte_buffer out;  // the tables, as fields of the message Profile
    struct byte_buffer part; // scratch
    struct byte_buffer line;
};

// False when out of memory; _deinit is harmless either way.
bool pprof_tables_init(struct pprof_tables *tables, const struct profile *profile);
void pprof_tables_deinit(struct pprof_tables *tables);

// Id of a frame's location (with its function and mapping).
uint32_t pprof_tables_location(struct pprof_tables *tables, frame_id frame);

#endif

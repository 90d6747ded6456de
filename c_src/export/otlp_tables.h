// SPDX-License-Identifier: Apache-2.0
// The dictionary of OTLP profiles (strings, mappings, functions, locations, stacks,
// attributes), made of what its samples use. Entry 0 of each table is its zero value;
// others are in the order of first use. One owner, one thread.
// https://github.com/open-telemetry/opentelemetry-proto, v1.10:
// opentelemetry/proto/profiles/v1development/profiles.proto
#ifndef FLAME_PROF_EXPORT_OTLP_TABLES_H
#define FLAME_PROF_EXPORT_OTLP_TABLES_H

#include "export/proto_strings.h"
#include "query/function_map.h"

#include <stdbool.h>
#include <stdint.h>

struct otlp_tables {
    const struct profile *profile; // borrowed
    struct function_map functions;
    struct proto_strings strings;
    uint32_t *function_index;                     // by frame_id; 0 = not used yet
    uint32_t *location_index;                     // by frame_id
    uint32_t *mapping_index;                      // by string_id of the file
    uint32_t *stack_index;                        // by stack_id
    uint32_t *attributes[PROFILE_MAX_DIMENSIONS]; // by code
    uint32_t frame_types[PROFILE_FRAME_KIND_CNT]; // attributes
    uint32_t function_cnt;
    uint32_t location_cnt;
    uint32_t mapping_cnt;
    uint32_t stack_cnt;
    uint32_t attribute_cnt;
    struct byte_buffer out;  // the fields of the message ProfilesDictionary
    struct byte_buffer part; // scratch
    struct byte_buffer list;
    struct byte_buffer line;
    struct byte_buffer valid;
};

// False when out of memory; _deinit is harmless either way.
bool otlp_tables_init(struct otlp_tables *tables, const struct profile *profile);
void otlp_tables_deinit(struct otlp_tables *tables);

// Index of a whole stack, with its locations, functions and mappings.
uint32_t otlp_tables_stack(struct otlp_tables *tables, stack_id stack);

// Index of the attribute that a code (not 0) of a dimension is.
uint32_t otlp_tables_attribute(struct otlp_tables *tables, uint32_t dimension, uint32_t code);

// The name of an attribute: "process.pid", "beam.process.status". Static or borrowed.
struct text otlp_tables_key(struct otlp_tables *tables, uint32_t dimension);

// Appends an AnyValue as the field `field` of `message`: a text, or a number.
void otlp_tables_text_value(struct otlp_tables *tables, struct byte_buffer *message, uint32_t field,
                            struct text value);

#endif

// SPDX-License-Identifier: Apache-2.0
// JSON, piece by piece, on its way to a byte_output: commas and quotes are its own
// business. Between _open and _close of an object every piece has a key, in an array
// (and at the top) none. One owner, one thread.
//
//     json_output_open(json, NULL, '{');
//     json_output_u64(json, "samples", 42);
//     json_output_open(json, "rows", '[');
//     json_output_i64(json, NULL, -1);
//     json_output_close(json, ']');
//     json_output_close(json, '}');                 {"samples":42,"rows":[-1]}
#ifndef FLAME_PROF_EXPORT_JSON_OUTPUT_H
#define FLAME_PROF_EXPORT_JSON_OUTPUT_H

#include "export/text_output.h"

struct json_output {
    struct text_output text;
    bool needs_comma;
};

void json_output_init(struct json_output *json, const struct byte_output *output,
                      struct error *err);

// A line's end, and what is left. False when anything failed, with the reason in `err`.
bool json_output_finish(struct json_output *json);

void json_output_open(struct json_output *json, const char *key, char bracket);
void json_output_close(struct json_output *json, char bracket);

// Bytes that are no UTF-8 become U+FFFD.
void json_output_text(struct json_output *json, const char *key, struct text value);
void json_output_i64(struct json_output *json, const char *key, int64_t value);
void json_output_u64(struct json_output *json, const char *key, uint64_t value);

#endif

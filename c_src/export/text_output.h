// SPDX-License-Identifier: Apache-2.0
// Text on its way to a byte_output, in blocks. The first failure stays: appenders
// need no check, text_output_finish tells. One owner, one thread.
#ifndef FLAME_PROF_EXPORT_TEXT_OUTPUT_H
#define FLAME_PROF_EXPORT_TEXT_OUTPUT_H

#include "base/byte_output.h"
#include "base/text.h"

#include <stdint.h>

enum { TEXT_OUTPUT_BLOCK_BYTES = 64 << 10 };

struct text_output {
    const struct byte_output *output; // borrowed
    struct error *err;                // borrowed
    bool has_failed;
    size_t len;
    char bytes[TEXT_OUTPUT_BLOCK_BYTES];
};

void text_output_init(struct text_output *text, const struct byte_output *output,
                      struct error *err);

// Writes what is left. False when anything failed, with the reason in `err`.
bool text_output_finish(struct text_output *text);

void text_output_text(struct text_output *text, struct text bytes);
void text_output_string(struct text_output *text, const char *string);
void text_output_char(struct text_output *text, char byte);
void text_output_i64(struct text_output *text, int64_t value);
void text_output_u64(struct text_output *text, uint64_t value);
void text_output_format(struct text_output *text, const char *format, ...)
    __attribute__((format(printf, 2, 3))); // at most 512 bytes

// As a JSON string, with its quotes. Bytes that are no UTF-8 become U+FFFD.
void text_output_json(struct text_output *text, struct text bytes);

// For a terminal: control characters become "?". At most `max_cells` cells (a
// character each); returns how many. Bytes that are no UTF-8 become "?".
uint32_t text_output_cells(struct text_output *text, struct text bytes, uint32_t max_cells);

#endif

// SPDX-License-Identifier: Apache-2.0
// The lines of a text file, plain or gzip, or of standard input ("-"). Bounded
// memory. One owner, one thread.
#ifndef FLAME_PROF_CLI_TEXT_INPUT_H
#define FLAME_PROF_CLI_TEXT_INPUT_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>

enum { TEXT_INPUT_MAX_LINE_BYTES = 1 << 20 };

enum text_input_result {
    TEXT_INPUT_LINE,
    TEXT_INPUT_TOO_LONG, // a line beyond the limit was skipped
    TEXT_INPUT_END,
    TEXT_INPUT_BROKEN, // err says why; the lines before were good
};

struct text_input;

// NULL, with the reason.
struct text_input *text_input_open(const char *path, struct error *err);
void text_input_close(struct text_input *input);

// The next line without its newline, valid until the next call. A last line
// without a newline counts.
enum text_input_result text_input_next(struct text_input *input, struct text *line,
                                       struct error *err);

#endif

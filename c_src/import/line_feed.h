// SPDX-License-Identifier: Apache-2.0
// Text that comes in pieces, line by line.
#ifndef FLAME_PROF_IMPORT_LINE_FEED_H
#define FLAME_PROF_IMPORT_LINE_FEED_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

typedef void (*line_feed_take)(void *context, struct text line);

// Gives `take` each whole line of `bytes`, without its newline; of the last piece what
// stands behind the last newline, too. Returns how many bytes were taken: what is left is
// to begin the next piece.
size_t line_feed(const char *bytes, size_t len, bool is_last, line_feed_take take, void *context);

#endif

// SPDX-License-Identifier: Apache-2.0
// The count at the end of a line. Pure.
#ifndef FLAME_PROF_IMPORT_LINE_COUNT_H
#define FLAME_PROF_IMPORT_LINE_COUNT_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

// Takes ` COUNT` from the end of `line`, with the blanks in front of it; a fraction is
// rounded, a line may be nothing else. False, and nothing is taken, when there is none.
bool line_count_take(struct text *line, int64_t *count);

#endif

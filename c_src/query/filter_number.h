// SPDX-License-Identifier: Apache-2.0
// Numbers with units: 64MiB, -1.5s, 250us, 2s..5s. Any thread.
#ifndef FLAME_PROF_QUERY_FILTER_NUMBER_H
#define FLAME_PROF_QUERY_FILTER_NUMBER_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

// The whole text as a number in base units (bytes, nanoseconds; a plain number is
// itself). False when it is none, or does not fit in 64 bits, or is not whole.
bool filter_number_parse(struct text text, int64_t *number);

// FROM..TO, either side may be left out (INT64_MIN, INT64_MAX).
bool filter_number_parse_range(struct text text, int64_t *from, int64_t *to);

#endif

// SPDX-License-Identifier: Apache-2.0
// What other programs are told about the code of this VM: the text of
// /tmp/perf-PID.map, and where code is. Reads a code map between two refreshes.
#ifndef FLAME_PROF_RECORD_BEAM_CODE_EXPORT_H
#define FLAME_PROF_RECORD_BEAM_CODE_EXPORT_H

#include "base/byte_buffer.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Appends a line `START SIZE NAME\n` (hexadecimal without 0x) for each function of
// what is loaded now, by address. Blanks and control characters in names become
// `_`. False when the buffer's limit was reached: the text then ends with a whole
// line.
bool code_export_perf_map(const struct code_map *map, struct byte_buffer *text,
                          uint32_t *function_cnt_ret);

struct code_range {
    uint64_t start;
    uint64_t end; // exclusive
};

// All loaded code by address; what is not further apart than this is one range.
enum { CODE_EXPORT_GAP_BYTES = 64 * 1024 };

// At most `max_cnt`; the last one then reaches to the end of all code.
size_t code_export_ranges(const struct code_map *map, struct code_range *ranges, size_t max_cnt);

#endif

// SPDX-License-Identifier: Apache-2.0
// A profile on one page of text: where it comes from, what was lost, and for each event
// what it is made of: states, functions, processes. Nothing of a profile reaches the
// terminal as a control sequence.
#ifndef FLAME_PROF_EXPORT_REPORT_H
#define FLAME_PROF_EXPORT_REPORT_H

#include "base/byte_output.h"
#include "query/selection.h"
#include "query/weight.h"

#include <stdbool.h>
#include <stdint.h>

struct report_options {
    bool has_weight;      // a metric was asked for; else what says most of the event
    struct weight weight; // that
    uint32_t max_rows;    // of a table
    uint32_t width;       // cells of a line, at least TERMINAL_MIN_WIDTH
};

// False, with the reason.
bool report_write(const struct selection *selection, const struct report_options *options,
                  const struct byte_output *output, struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
// Pictures for a terminal: Unicode half blocks, with 16 million, 256 or no colours.
// Nothing of a profile reaches the terminal as a control sequence.
#ifndef FLAME_PROF_EXPORT_TERMINAL_H
#define FLAME_PROF_EXPORT_TERMINAL_H

#include "base/byte_output.h"
#include "export/palette.h"
#include "export/text_output.h"
#include "query/flame_diff.h"
#include "query/flame_graph.h"
#include "query/heatmap.h"

enum terminal_colours { TERMINAL_COLOURS_NONE, TERMINAL_COLOURS_256, TERMINAL_COLOURS_TRUE };

struct terminal {
    enum terminal_colours colours;
    uint32_t width; // cells of a line; at least 20
    uint32_t depth; // lines of a flame graph; 0 = no limit
};

enum { TERMINAL_MIN_WIDTH = 20, TERMINAL_MAX_WIDTH = 4096, TERMINAL_LABEL_CELLS = 7 };

// Columns from left to right, the later row higher; blank where no sample is. Draws the
// first terminal->width - TERMINAL_LABEL_CELLS columns. False, with the reason.
bool terminal_heatmap(const struct heatmap *heatmap, const char *name,
                      const struct terminal *terminal, const struct byte_output *output,
                      struct error *err);

// The root on top, the heaviest to the left.
bool terminal_flamegraph(const struct flame_graph *graph, const char *name,
                         const struct terminal *terminal, const struct byte_output *output,
                         struct error *err);

// What changed most, by place.
bool terminal_diff(const struct flame_diff *diff, const char *name, uint32_t max_rows,
                   const struct terminal *terminal, const struct byte_output *output,
                   struct error *err);

// --- for the pictures only ------------------------------------------------------

void terminal_foreground(struct text_output *text, const struct terminal *terminal,
                         struct colour colour);
void terminal_background(struct text_output *text, const struct terminal *terminal,
                         struct colour colour);
void terminal_reset(struct text_output *text, const struct terminal *terminal);

#endif

// SPDX-License-Identifier: Apache-2.0
// Turns what the walker saw of one process into a stack: its Erlang frames, what is to be
// said of them, and who it is. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_PROCESS_STACK_H
#define FLAME_PROF_RECORD_BEAM_PROCESS_STACK_H

#include "capture/beam/process_sample.h"
#include "model/sample.h"
#include "record/beam/application_table.h"
#include "record/beam/process_categories.h"
#include "record/beam/process_names.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stdint.h>

// What names come from; all borrowed.
struct process_stack_sources {
    const struct code_map *code;
    struct process_names *names;
    struct application_table *applications;
    const struct process_category_order *categories;
    struct text node;
    bool flatten_recursive; // equal neighbouring functions become one frame
};

struct process_stack {
    struct process_stack_sources sources;
    struct frame *frames; // leaf first; valid until the next one
    uint32_t frame_cnt;
    bool has_unknown;  // a frame without a name
    char gap_text[64]; // of the frame that stands for those cut out
};

// For samples of at most `max_frames` frames. False when out of memory.
bool process_stack_init(struct process_stack *stack, const struct process_stack_sources *sources,
                        uint32_t max_frames);
// Harmless on a zeroed struct.
void process_stack_deinit(struct process_stack *stack);

void process_stack_build(struct process_stack *stack, const struct process_sample *raw);

#endif

// SPDX-License-Identifier: Apache-2.0
// Texts of a process: its registered name and initial call as category frames,
// its number. Atoms and pids are read by whoever owns the VM's tables (nif/)
// through `struct term_texts`. Bounded caches. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_PROCESS_NAMES_H
#define FLAME_PROF_RECORD_BEAM_PROCESS_NAMES_H

#include "base/string_table.h"
#include "model/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Called on the writer's thread; must be safe there.
struct term_texts {
    void *context;
    // UTF-8 of an atom term into `text`; its length, 0 when it is not (yet) known.
    size_t (*atom)(void *context, uint64_t term, char *text, size_t text_bytes);
    // N of <0.N.S>; 0 when it cannot be told.
    uint32_t (*process_number)(void *context, uint64_t pid_term);
};

struct process_names;

struct process_names *process_names_create(const struct term_texts *texts, size_t max_bytes);
void process_names_destroy(struct process_names *names);

// Frames borrowed from `names`. False when an atom has no text.
bool process_names_registered(struct process_names *names, uint64_t atom, struct frame *frame_ret);
bool process_names_initial(struct process_names *names, const uint64_t mfa[3],
                           struct frame *frame_ret);

// As a frame of its own: `module:function/arity`, of `kind` ("bif", "nif").
bool process_names_function(struct process_names *names, const uint64_t mfa[3], const char *kind,
                            struct frame *frame_ret);

// Any category as it stands: `{memory 10s MiB}`. False when the texts are full.
bool process_names_note(struct process_names *names, struct text name, struct frame *frame_ret);

uint32_t process_names_number(struct process_names *names, uint64_t pid_term);

#endif

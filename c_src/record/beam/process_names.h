// SPDX-License-Identifier: Apache-2.0
// Texts of a process: its registered name and initial call as category frames,
// its number. Atoms and pids are read by whoever owns the VM's tables (nif/)
// through `struct term_texts`. Bounded caches. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_PROCESS_NAMES_H
#define FLAME_PROF_RECORD_BEAM_PROCESS_NAMES_H

#include "base/string_table.h"
#include "model/sample.h"
#include "record/beam/term_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// `texts` are called on the writer's thread and must be safe there.
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

// `{kind TEXT}` of a copied term. False when it has no text.
bool process_names_term(struct process_names *names, const char *kind, const uint64_t *words,
                        uint32_t word_cnt, struct frame *frame_ret);

// The text of an atom or a pid term itself; its length.
size_t process_names_text(struct process_names *names, uint64_t term, char *text,
                          size_t text_bytes);

// Any category as it stands: `{memory 10s MiB}`. False when the texts are full.
bool process_names_note(struct process_names *names, struct text name, struct frame *frame_ret);

uint32_t process_names_number(struct process_names *names, uint64_t pid_term);

#endif

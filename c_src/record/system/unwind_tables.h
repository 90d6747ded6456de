// SPDX-License-Identifier: Apache-2.0
// Gives the sampler the unwind tables of what runs: made from a file when the first
// stack leads into it (of what is mapped most never runs), kept for all processes; set anew
// when a process executes another program or loads a library. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_UNWIND_TABLES_H
#define FLAME_PROF_RECORD_SYSTEM_UNWIND_TABLES_H

#include "capture/system/process_history.h"
#include "capture/system/system_sample.h"
#include "capture/system/unwind_store.h"
#include "record/system/beam_layouts.h"

#include <stdbool.h>
#include <stdint.h>

struct unwind_tables;

// `store` and `layouts` are borrowed. NULL when out of memory.
struct unwind_tables *unwind_tables_create(struct unwind_store *store,
                                           struct beam_layouts *layouts);
void unwind_tables_destroy(struct unwind_tables *tables);

// Called now and then while tables are made, which may take long.
void unwind_tables_set_pause(struct unwind_tables *tables, void (*pause)(void *context),
                             void *context);

// Files are read as soon as a process has them mapped: for samples of which no copy of the
// stack can be taken where a table is missing.
void unwind_tables_set_eager(struct unwind_tables *tables);

// Call for each sample with the process it is of, whose mappings are known: what it maps
// has its table then, if its file was read before.
void unwind_tables_note(struct unwind_tables *tables, struct process *process, uint64_t now_ns);

// A walk of that process came to `place`, whose file had not been read: it is now. False when
// that changes nothing.
bool unwind_tables_read(struct unwind_tables *tables, struct process *process, uint64_t place,
                        uint64_t now_ns);

#endif

// SPDX-License-Identifier: Apache-2.0
// Gives the sampler the unwind tables of what runs: made from a file when the first
// process that has it mapped is met, kept for all others, made anew when a process
// executes another program or loads a library. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_UNWIND_TABLES_H
#define FLAME_PROF_RECORD_SYSTEM_UNWIND_TABLES_H

#include "capture/system/process_history.h"
#include "capture/system/system_sample.h"
#include "capture/system/unwind_store.h"
#include "record/system/beam_layouts.h"

#include <stdint.h>

struct unwind_tables;

// `store` and `layouts` are borrowed. NULL when out of memory.
struct unwind_tables *unwind_tables_create(struct unwind_store *store,
                                           struct beam_layouts *layouts);
void unwind_tables_destroy(struct unwind_tables *tables);

// Called now and then while tables are made, which may take long.
void unwind_tables_set_pause(struct unwind_tables *tables, void (*pause)(void *context),
                             void *context);

// Call for each sample with the process it is of, whose mappings are known: what it
// maps has tables then.
void unwind_tables_note(struct unwind_tables *tables, struct process *process, uint64_t now_ns);

#endif

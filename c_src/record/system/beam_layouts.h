// SPDX-License-Identifier: Apache-2.0
// What Erlang VMs of this host tell of themselves in files (docs/layout-file.md): looked for
// once in the life of a VM, when it is first asked for, and believed only where the file is
// of this very process: its user's or root's, of its number and start, and of the program
// that it runs. Bounded: the VMs least recently asked for are forgotten. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_BEAM_LAYOUTS_H
#define FLAME_PROF_RECORD_SYSTEM_BEAM_LAYOUTS_H

#include "capture/system/process_history.h"
#include "record/system/layout_file.h"

#include <stdbool.h>
#include <stdint.h>

struct beam_layouts;

// NULL when out of memory.
struct beam_layouts *beam_layouts_create(void);
void beam_layouts_destroy(struct beam_layouts *layouts);

// Of an Erlang VM; NULL when it tells nothing that can be believed. Valid until the next
// call.
const struct layout_file *beam_layouts_find(struct beam_layouts *layouts,
                                            const struct process *process);

// Which scheduler the thread is, of a VM that was asked for before. False when that is not
// told.
bool beam_layouts_scheduler(const struct beam_layouts *layouts, uint32_t pid,
                            uint64_t address_space, uint32_t tid, struct beam_scheduler *scheduler);

#endif

// SPDX-License-Identifier: Apache-2.0
// Names of generated code, from the perf maps of the processes that make it.
// Bounded: the least recently used maps are closed. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_JIT_NAMES_H
#define FLAME_PROF_RECORD_SYSTEM_JIT_NAMES_H

#include "base/text.h"
#include "capture/system/process_history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jit_names;

// `max_bytes` bounds the tables of all processes together. NULL when out of
// memory.
struct jit_names *jit_names_create(size_t max_bytes);
void jit_names_destroy(struct jit_names *names);

// False when the process has no map, or the map no such place. A map that grew is read on,
// one that was replaced is read anew, at most once a second; one that never was there is
// looked for less and less often, down to each 8 s. With one `now_ns` for a whole stack its
// names stay valid until jit_names_trim.
bool jit_names_find(struct jit_names *names, const struct process *process, uint64_t address,
                    uint64_t now_ns, struct text *name);

// Drops what exceeds the limit. Call between two samples.
void jit_names_trim(struct jit_names *names);

#endif

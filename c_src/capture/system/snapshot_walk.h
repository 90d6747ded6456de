// SPDX-License-Identifier: Apache-2.0
// The BPF program's stack walk, run in user space over a copy of registers and stack.
// For samples of processes that had no tables yet, and for sampling without BPF.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SNAPSHOT_WALK_H
#define FLAME_PROF_CAPTURE_SYSTEM_SNAPSHOT_WALK_H

#include "capture/system/system_sample.h"
#include "capture/system/unwind_memory.h"

// Fills in the user frames behind the kernel's in `frames` (room for
// SYSTEM_MAX_FRAMES), the omitted ones, stack_end and erlang_pid. A `process` that is
// NULL has no tables: frame pointers. Returns the place at which it ended as the file there
// has not been read yet; 0 when it has come to another end.
uint64_t snapshot_walk(const struct unwind_memory *memory, const struct unwind_process *process,
                       struct system_sample *sample, uint64_t *frames);

#endif

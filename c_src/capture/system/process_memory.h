// SPDX-License-Identifier: Apache-2.0
// Reads memory of another process, which it may change or free meanwhile: a copy, or
// an error. Needs the right to trace the process (its user's, or CAP_SYS_PTRACE). Any
// thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PROCESS_MEMORY_H
#define FLAME_PROF_CAPTURE_SYSTEM_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// False unless all of it could be read.
bool process_memory_read(uint32_t pid, uint64_t address, void *to, size_t bytes);

#endif

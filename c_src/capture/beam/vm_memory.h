// SPDX-License-Identifier: Apache-2.0
// The emulator's own static data (.data and .bss), where its global structures
// start, and the search for a word in it. Control path.
#ifndef FLAME_PROF_CAPTURE_BEAM_VM_MEMORY_H
#define FLAME_PROF_CAPTURE_BEAM_VM_MEMORY_H

#include "base/error.h"
#include "capture/beam/memory_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_range {
    uint64_t start;
    uint64_t end; // exclusive
};

enum { VM_MEMORY_MAX_RANGES = 8 };

// Writable mappings of the executable, and the anonymous one right behind them.
struct vm_memory {
    struct vm_range ranges[VM_MEMORY_MAX_RANGES];
    size_t range_cnt;
};

// Reads /proc/self/maps.
bool vm_memory_open(struct vm_memory *memory, struct error *err);

bool vm_memory_contains(const struct vm_memory *memory, uint64_t address);

// Calls `accept(context, address, word)` for every aligned word until it
// returns true; then that address, else 0.
uint64_t vm_memory_find(const struct vm_memory *memory, struct memory_reader *reader,
                        bool (*accept)(void *context, uint64_t address, uint64_t word),
                        void *context);

#endif

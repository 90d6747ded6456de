// SPDX-License-Identifier: Apache-2.0
// The addresses that an entry of .debug_info covers: its low and high address, or a list in
// .debug_ranges or .debug_rnglists.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_RANGES_H
#define FLAME_PROF_SYMBOLS_SYSTEM_DEBUG_RANGES_H

#include "symbols/system/debug_unit.h"

#include <stdbool.h>
#include <stdint.h>

enum { DEBUG_RANGES_MAX = 1024 }; // of one entry; the rest is left out

// Of [start, end), never empty, never from address 0 (what was not linked). False ends it.
typedef bool (*debug_ranges_take)(void *context, uint64_t start, uint64_t end);

// False when it was ended.
bool debug_ranges_read(const struct debug_unit *unit, const struct debug_entry *entry,
                       debug_ranges_take take, void *context);

#endif

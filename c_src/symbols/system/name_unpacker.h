// SPDX-License-Identifier: Apache-2.0
// Reads names back that name packs hold compressed: keeps those asked for, and some blocks,
// for all packs that share it. Each new process asks for much the same. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_NAME_UNPACKER_H
#define FLAME_PROF_SYMBOLS_SYSTEM_NAME_UNPACKER_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

enum { NAME_BLOCK_BYTES = 8192 };

struct name_unpacker;

// NULL when out of memory.
struct name_unpacker *name_unpacker_create(void);
// No pack may be read after it.
void name_unpacker_destroy(struct name_unpacker *unpacker);

// Tells one pack from all others, those that are gone included. Not 0.
uint64_t name_unpacker_id(struct name_unpacker *unpacker);

// The NUL-terminated name at `at` of the pack, which is in this block: valid until the next
// call. "[unknown]" without memory.
struct text name_unpacker_name(struct name_unpacker *unpacker, uint64_t id, uint32_t at,
                               const void *packed, size_t packed_bytes);

#endif

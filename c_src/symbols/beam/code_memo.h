// SPDX-License-Identifier: Apache-2.0
// What a code map found for addresses, until its code changes: stacks have the same few
// again and again. Slots, a power of two: who comes last has the slot. One thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_MEMO_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_MEMO_H

#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_memo;

// NULL when out of memory.
struct code_memo *code_memo_create(void);
// Harmless for NULL, as all below are: it knows nothing then.
void code_memo_destroy(struct code_memo *memo);

// NULL: not known.
const struct code_location *code_memo_find(const struct code_memo *memo, uint64_t address,
                                           uint32_t generation);
void code_memo_keep(struct code_memo *memo, uint64_t address, uint32_t generation,
                    const struct code_location *location);
void code_memo_forget(struct code_memo *memo);

size_t code_memo_memory_bytes(const struct code_memo *memo);

#endif

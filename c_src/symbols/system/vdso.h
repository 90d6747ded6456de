// SPDX-License-Identifier: Apache-2.0
// The functions the kernel maps into every process. It is the same image for
// all 64-bit processes, so that our own tells. Any thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_VDSO_H
#define FLAME_PROF_SYMBOLS_SYSTEM_VDSO_H

#include "symbols/system/symbol_table.h"

// Fills and finishes `table` with offsets into the mapping. False when this
// kernel maps none.
bool vdso_load(struct symbol_table *table);

#endif

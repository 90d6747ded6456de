// SPDX-License-Identifier: Apache-2.0
// Arrays that grow to twice their size, up to a limit.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_GROWN_ARRAY_H
#define FLAME_PROF_SYMBOLS_SYSTEM_GROWN_ARRAY_H

#include <stddef.h>
#include <stdint.h>

// The array with room for `needed` elements of `size` bytes, perhaps elsewhere; NULL, and
// nothing changed, at the limit or without memory.
void *grown_array(void *at, uint32_t *capacity, uint32_t needed, uint32_t max, size_t size);

#endif

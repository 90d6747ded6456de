// SPDX-License-Identifier: Apache-2.0
// Advice to the kernel about memory of many megabytes. Any thread.
#ifndef FLAME_PROF_BASE_BIG_MEMORY_H
#define FLAME_PROF_BASE_BIG_MEMORY_H

#include <stddef.h>

// Of what malloc, calloc or realloc has just given (NULL is harmless): where it is large
// it may be backed by large pages, with one fault for each instead of 512. It stays
// theirs; nothing depends on it.
void big_memory_advise(void *memory, size_t bytes);

#endif

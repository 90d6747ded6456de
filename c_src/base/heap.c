// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <stdlib.h> // tells which C library it is
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { LARGE_BYTES = 2 << 20, KEPT_BYTES = 4 << 20 };

void heap_give_back(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

void heap_keep_no_large(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

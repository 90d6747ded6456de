// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <stdlib.h> // tells which C library it is
#ifdef __GLIBC__
#include <malloc.h>
#endif

void heap_give_back(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

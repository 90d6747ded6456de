// SPDX-License-Identifier: Apache-2.0
#include "base/big_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define LARGE_PAGE_BYTES ((size_t)2 << 20)

void big_memory_advise(void *memory, size_t bytes)
{
    if (memory == NULL || bytes < 2 * LARGE_PAGE_BYTES) {
        return;
    }
    uintptr_t begin = (uintptr_t)memory;
    size_t skipped = (size_t)(-begin & (LARGE_PAGE_BYTES - 1));
    size_t whole = (bytes - skipped) & ~(LARGE_PAGE_BYTES - 1);
    (void)madvise((char *)memory + skipped, whole, MADV_HUGEPAGE);
}

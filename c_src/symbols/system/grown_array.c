// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/grown_array.h"

#include <stdlib.h>

void *grown_array(void *at, uint32_t *capacity, uint32_t needed, uint32_t max, size_t size)
{
    uint32_t larger = *capacity == 0 ? 1024 : *capacity;
    if (at != NULL && needed <= *capacity) {
        return at;
    }
    while (larger < needed && larger < max) {
        larger *= 2;
    }
    void *bytes = needed > max ? NULL : realloc(at, larger * size);
    *capacity = bytes == NULL ? *capacity : larger;
    return bytes;
}

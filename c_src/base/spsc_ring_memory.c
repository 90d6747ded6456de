// SPDX-License-Identifier: Apache-2.0
// A ring's memory; apart from what signal handlers do with it.
#include "base/spsc_ring.h"

#include <stdlib.h>
#include <string.h>

bool spsc_ring_init(struct spsc_ring *ring, size_t min_bytes)
{
    uint64_t size = 4096;
    while (size < min_bytes) {
        size *= 2;
    }
    *ring = (struct spsc_ring){.bytes = malloc(size), .size = size};
    if (ring->bytes == NULL) {
        return false;
    }
    memset(ring->bytes, 1, size); // not zero: calloc'ed pages would still be unmapped
    return true;
}

void spsc_ring_deinit(struct spsc_ring *ring)
{
    free(ring->bytes);
    *ring = (struct spsc_ring){0};
}

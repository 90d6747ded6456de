// SPDX-License-Identifier: Apache-2.0
// /proc/PID/cgroup: the path is up to whoever may make control groups.
#include "capture/system/cgroup_place.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cgroup_place place;
    if (size > 1 << 16) {
        return 0;
    }
    if (cgroup_place_parse((struct text){(const char *)data, (uint32_t)size}, &place)) {
        assert(strnlen(place.container, sizeof place.container) < sizeof place.container);
        assert(strnlen(place.pod, sizeof place.pod) < sizeof place.pod);
        assert(place.engine != NULL);
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any lines as /proc/PID/maps: a path in it is anybody's text.
#include "capture/system/process_maps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct process_maps maps = {0};
    char *text = strndup((const char *)bytes, len);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        process_maps_add_line(&maps, line);
    }
    for (uint32_t i = 0; i < maps.cnt; i++) {
        if (process_maps_find(&maps, maps.mappings[i].start) != &maps.mappings[i]) {
            abort();
        }
        (void)process_maps_path(&maps, &maps.mappings[i]);
    }
    process_maps_deinit(&maps);
    free(text);
    return 0;
}

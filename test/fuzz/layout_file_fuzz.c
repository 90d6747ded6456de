// SPDX-License-Identifier: Apache-2.0
// Any bytes as a layout file: what is taken from it keeps to its limits.
#include "record/system/layout_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct layout_file layout;
    (void)layout_file_parse(&layout, (struct text){(const char *)bytes, (uint32_t)size});
    if (layout.scheduler_cnt > LAYOUT_FILE_MAX_SCHEDULERS ||
        layout.build_id_len > LAYOUT_FILE_MAX_BUILD_ID_BYTES || layout.stop > UINT16_MAX ||
        layout.heap > UINT16_MAX || layout.htop > UINT16_MAX) {
        abort();
    }
    return 0;
}

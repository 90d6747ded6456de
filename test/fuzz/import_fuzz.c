// SPDX-License-Identifier: Apache-2.0
// Any bytes as a profile of another program: the first byte chooses the format.
#include "import/import.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MAX_BYTES = 32 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    struct import_options options = {.format = (enum import_format)(bytes[0] % IMPORT_FORMAT_CNT)};
    struct profile_builder_options builder_options = {.max_bytes = MAX_BYTES};
    struct profile_builder *builder = profile_builder_create(&builder_options);
    (void)import_bytes(builder, bytes + 1, len - 1, &options, NULL);
    struct profile *profile = profile_builder_finish(builder, NULL);
    for (uint64_t row = 0; profile != NULL && row < profile->row_cnt; row++) {
        if (profile->stack[row] >= profile->dictionary.node_cnt) {
            abort();
        }
    }
    profile_destroy(profile);
    return 0;
}

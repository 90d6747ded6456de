// SPDX-License-Identifier: Apache-2.0
// Any bytes as a mangled name.
#include "symbols/system/demangler.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct demangler demangler;
    struct text name = {(const char *)bytes, (uint32_t)len};
    demangler.cut_cnt = 0;
    if (demangler_demangle(&demangler, &name) &&
        (name.len == 0 || name.len > DEMANGLER_MAX_OUTPUT_BYTES)) {
        __builtin_trap();
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Where finished bytes go: a file, a compressor, a test's buffer.
#ifndef FLAME_PROF_BASE_BYTE_OUTPUT_H
#define FLAME_PROF_BASE_BYTE_OUTPUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

// `write` takes all `len` bytes or fails; on failure it may have taken a part.
struct byte_output {
    bool (*write)(void *context, const void *bytes, size_t len, struct error *err);
    void *context; // borrowed
};

static inline bool byte_output_write(const struct byte_output *output, const void *bytes,
                                     size_t len, struct error *err)
{
    return output->write(output->context, bytes, len, err);
}

#endif

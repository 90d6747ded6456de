// SPDX-License-Identifier: Apache-2.0
// A whole file in memory.
#ifndef FLAME_PROF_STORE_FILE_BYTES_H
#define FLAME_PROF_STORE_FILE_BYTES_H

#include "base/error.h"

#include <stddef.h>

// What a regular file has now, from malloc. NULL, with the reason.
unsigned char *file_bytes_read(const char *path, size_t *len_ret, struct error *err);

#endif

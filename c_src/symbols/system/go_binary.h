// SPDX-License-Identifier: Apache-2.0
// Whether an executable was made by the Go toolchain. Any thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_GO_BINARY_H
#define FLAME_PROF_SYMBOLS_SYSTEM_GO_BINARY_H

#include <stdbool.h>

// By the sections that Go's runtime needs, which stripping leaves. Reads `fd`, a regular
// file, and leaves it open.
bool go_binary_is(int fd);

#endif

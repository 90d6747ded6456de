// SPDX-License-Identifier: Apache-2.0
// Writes integers where their room is reserved already. Any thread.
#ifndef FLAME_PROF_BASE_DECIMAL_H
#define FLAME_PROF_BASE_DECIMAL_H

#include <stdint.h>

enum { DECIMAL_U64_MAX_BYTES = 20, DECIMAL_I64_MAX_BYTES = 20, DECIMAL_HEX_MAX_BYTES = 16 };

// Each writes without a NUL and returns the place behind what it wrote: at most
// as many bytes as the constant above says.
char *decimal_put_u64(char *at, uint64_t value);
char *decimal_put_i64(char *at, int64_t value);
// Lower-case hexadecimal, at least `min_digits` (1 to 16) of them.
char *decimal_put_hex(char *at, uint64_t value, unsigned min_digits);

#endif

// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli). Pure.
#ifndef FLAME_PROF_BASE_CRC32C_H
#define FLAME_PROF_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

// Of `bytes`; "123456789" has 0xE3069283.
uint32_t crc32c(const void *bytes, size_t len);

// The same where the processor has no instruction for it.
uint32_t crc32c_portable(const void *bytes, size_t len);

#endif

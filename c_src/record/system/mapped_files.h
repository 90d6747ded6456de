// SPDX-License-Identifier: Apache-2.0
// The files whose code was seen, with their build ids, so that a recording says which
// builds it is about. Bounded: what is too much is not told. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_MAPPED_FILES_H
#define FLAME_PROF_RECORD_SYSTEM_MAPPED_FILES_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapped_files;

// NULL when out of memory. `max_bytes` bounds the texts.
struct mapped_files *mapped_files_create(size_t max_bytes);
void mapped_files_destroy(struct mapped_files *files);

// Adds it unless it is there. `id_len` = 0: it has no build id.
void mapped_files_add(struct mapped_files *files, const uint8_t *id, uint32_t id_len,
                      struct text path);

// The next one to tell, as `BUILD-ID PATH` (`- PATH` without one), NUL-terminated, valid until
// the next call; false when all are told. Each output file has its own `*told_cnt`, the number
// of those told there: 0 where it begins.
bool mapped_files_next(struct mapped_files *files, uint32_t *told_cnt, const char **line);

size_t mapped_files_memory_bytes(const struct mapped_files *files);

#endif

// SPDX-License-Identifier: Apache-2.0
// One capture file from batches: under a hidden name beside its own until it is whole,
// or straight to standard output ("-"). Memory for one chunk. One owner, one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_FILE_H
#define FLAME_PROF_STORE_CAPTURE_FILE_H

#include "base/error.h"
#include "model/profile.h"

#include <stdbool.h>
#include <stdint.h>

struct capture_file;

// NULL, with the reason.
struct capture_file *capture_file_create(const char *path, struct error *err);
// An unfinished file is removed. NULL-safe.
void capture_file_destroy(struct capture_file *file);

// A profile_batch_fn with the file as its context.
bool capture_file_batch(void *file, struct profile *batch, struct error *err);

// What the profile still has to say, and the end; renames the file into place. `bytes`
// (may be NULL) is its size.
bool capture_file_finish(struct capture_file *file, const struct profile *profile, uint64_t *bytes,
                         struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
// perf-script text into a profile: ours, that of the 2021 flame_prof, and what `perf
// script` prints in its many field choices. Whole stacks are remembered by a hash of
// their text, so that a stack seen before costs one look-up. Input is hostile: what
// cannot be read is counted and skipped; memory is bounded. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_SCRIPT_IMPORT_H
#define FLAME_PROF_IMPORT_SCRIPT_IMPORT_H

#include "model/profile_builder.h"

#include <stdbool.h>
#include <stddef.h>

struct script_import;

// NULL when out of memory. `builder` is borrowed.
struct script_import *script_import_create(struct profile_builder *builder);
void script_import_destroy(struct script_import *import);

// Takes whole samples from the front of `bytes` and returns how many bytes they were:
// the rest comes again, with more behind it. `is_last` takes everything.
size_t script_import_feed(struct script_import *import, const char *bytes, size_t len,
                          bool is_last);

#endif

// SPDX-License-Identifier: Apache-2.0
// Folded stacks, `root;...;leaf COUNT`, into a profile: a row per line, its count as the
// metric `samples`; two counts (difffolded.pl) as `before` and `samples`. No times.
// Malformed lines are counted. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_FOLDED_IMPORT_H
#define FLAME_PROF_IMPORT_FOLDED_IMPORT_H

#include "model/profile_builder.h"

#include <stdbool.h>
#include <stddef.h>

struct folded_import;

// NULL when out of memory. `builder` is borrowed.
struct folded_import *folded_import_create(struct profile_builder *builder);
void folded_import_destroy(struct folded_import *import);

// As script_import_feed.
size_t folded_import_feed(struct folded_import *import, const char *bytes, size_t len,
                          bool is_last);

#endif

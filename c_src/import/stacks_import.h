// SPDX-License-Identifier: Apache-2.0
// What bcc's profile and offcputime, and bpftrace's maps of stacks print, into a profile:
// a row per stack, its count as the metric `samples`. No times. Malformed lines are
// counted. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_STACKS_IMPORT_H
#define FLAME_PROF_IMPORT_STACKS_IMPORT_H

#include "model/profile_builder.h"

#include <stdbool.h>
#include <stddef.h>

struct stacks_import;

// NULL when out of memory. `builder` is borrowed.
struct stacks_import *stacks_import_create(struct profile_builder *builder);
void stacks_import_destroy(struct stacks_import *import);

// As script_import_feed.
size_t stacks_import_feed(struct stacks_import *import, const char *bytes, size_t len,
                          bool is_last);

#endif

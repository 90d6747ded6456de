// SPDX-License-Identifier: Apache-2.0
// pprof's profile.proto into a profile: a row per sample, each sample type a metric with
// its unit, labels as dimensions, mappings with build ids. A numeric label `timestamp` is
// the sample's time; else all have the profile's. Input is hostile: samples that refer
// to what is not there are counted. One owner, one thread.
#ifndef FLAME_PROF_IMPORT_PPROF_IMPORT_H
#define FLAME_PROF_IMPORT_PPROF_IMPORT_H

#include "model/profile_builder.h"

#include <stdbool.h>
#include <stddef.h>

struct pprof_import;

// NULL when out of memory. `builder` is borrowed.
struct pprof_import *pprof_import_create(struct profile_builder *builder);
void pprof_import_destroy(struct pprof_import *import);

// The whole message at once, when `is_last`; takes nothing before.
size_t pprof_import_feed(struct pprof_import *import, const char *bytes, size_t len, bool is_last);

#endif

// SPDX-License-Identifier: Apache-2.0
// For those who fill a profile (model/profile_builder.c, store/capture_reader.c), not
// for those who read it.
#ifndef FLAME_PROF_MODEL_PROFILE_PARTS_H
#define FLAME_PROF_MODEL_PROFILE_PARTS_H

#include "model/profile.h"

#include <stddef.h>

// Empty, without dimensions. NULL when out of memory. `max_bytes` bounds the dictionary.
struct profile *profile_create(size_t max_bytes);

// Puts the rows into the order of time, equal times as they came. False when out of
// memory: the profile is fit for profile_destroy only.
bool profile_sort(struct profile *profile);

#endif

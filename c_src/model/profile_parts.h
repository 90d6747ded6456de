// SPDX-License-Identifier: Apache-2.0
// For those who fill a profile (model/profile_builder.c, store/capture_reader.c), not
// for those who read it.
#ifndef FLAME_PROF_MODEL_PROFILE_PARTS_H
#define FLAME_PROF_MODEL_PROFILE_PARTS_H

#include "model/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Empty, without dimensions. NULL when out of memory. `max_bytes` bounds the dictionary.
struct profile *profile_create(size_t max_bytes);

// Puts the rows into the order of time, equal times as they came. False when out of
// memory: the profile is fit for profile_destroy only.
bool profile_sort(struct profile *profile);

// A dimension that every profile has.
struct profile_fixed_dimension {
    struct text name;
    enum profile_dimension_kind kind;
};

// NULL from PROFILE_FIXED_DIMENSION_CNT on.
const struct profile_fixed_dimension *profile_fixed_dimension(uint32_t idx);

// --- one more; nothing is changed when out of memory ----------------------------

// The `cnt` entries, all of them made by this, with room for one more; NULL when out of
// memory.
void *profile_with_room(void *entries, uint64_t cnt, size_t size);

// The new one, zeroed.
struct profile_source *profile_add_source(struct profile *profile);
bool profile_add_fact(struct profile_source *source, struct profile_fact fact);
bool profile_add_mapping(struct profile *profile, const struct profile_mapping *mapping);

// --- rows -----------------------------------------------------------------------

// Room for so many times and stacks, more than there are.
bool profile_resize_rows(struct profile *profile, uint64_t capacity);

// Takes away what columns have beyond the profile's rows.
void profile_trim_columns(struct profile *profile);

// Rows that lack the metric, at the end of its columns.
bool profile_metric_skip(struct profile_metric *metric, uint64_t cnt);

// The bits of the metric's presence, with room for `row_cnt` rows, new ones 0. Where there
// were none, the first `present_cnt` rows have it. `word_cnt`: the room, kept by the caller.
uint64_t *profile_metric_presence(struct profile_metric *metric, uint64_t row_cnt,
                                  uint64_t *word_cnt);

#endif

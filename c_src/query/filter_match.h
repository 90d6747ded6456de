// SPDX-License-Identifier: Apache-2.0
// Which rows of a profile a filter takes.
#ifndef FLAME_PROF_QUERY_FILTER_MATCH_H
#define FLAME_PROF_QUERY_FILTER_MATCH_H

#include "model/profile.h"
#include "query/filter.h"

// A byte, 0 or 1, for each of the rows first to first + cnt; the caller frees it. NULL,
// with the reason: a field that the profile has not got, no memory.
uint8_t *filter_match(const struct filter *filter, const struct profile *profile, uint64_t first,
                      uint64_t cnt, struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
// Which rows of a profile a question is about: a range of time, and of it what a
// filter takes. One owner; any number of threads may read it.
#ifndef FLAME_PROF_QUERY_SELECTION_H
#define FLAME_PROF_QUERY_SELECTION_H

#include "base/error.h"
#include "model/profile.h"
#include "query/filter.h"

#include <stdbool.h>
#include <stdint.h>

// Since the profile's first sample.
struct selection_range {
    uint64_t from_ns;
    uint64_t to_ns; // not included; UINT64_MAX = to the end
};

struct selection {
    const struct profile *profile; // borrowed
    uint64_t first;                // row
    uint64_t end;                  // row, not included
    uint8_t *mask;                 // of row first + i: 1 = taken; NULL = all of them
    uint64_t row_cnt;              // taken
};

// `range` NULL = all of it, `filter` NULL = all rows. False, with the reason (a field
// that the profile has not got); _deinit is harmless either way.
bool selection_init(struct selection *selection, const struct profile *profile,
                    const struct selection_range *range, const struct filter *filter,
                    struct error *err);
void selection_deinit(struct selection *selection);

// The mask of a row within first..end.
static inline bool selection_has(const struct selection *selection, uint64_t row)
{
    return selection->mask == NULL || selection->mask[row - selection->first] != 0;
}

// The times of the first and the last row taken; 0, 0 when there is none.
void selection_times(const struct selection *selection, uint64_t *first_ns, uint64_t *last_ns);

#endif

// SPDX-License-Identifier: Apache-2.0
// A test of a filter, made ready for one profile: what depends on a name is answered
// once per name, frame, stack or code; a row then takes one look. One owner; any number
// of threads may ask it once it is made.
#ifndef FLAME_PROF_QUERY_FILTER_PROBE_H
#define FLAME_PROF_QUERY_FILTER_PROBE_H

#include "query/filter_field.h"

struct filter_probe {
    const struct profile *profile; // borrowed
    struct filter_field field;
    bool is_negated;
    bool has_bounds; // false: no number passes
    int64_t min;     // those that pass, both included
    int64_t max;
    uint8_t *accepts; // 0 or 1, by stack or code; NULL = numbers are compared
    struct weight_reader reader;
};

// False, with the reason: a field that the profile has not got, no memory. _deinit is
// harmless either way.
bool filter_probe_init(struct filter_probe *probe, const struct profile *profile,
                       const struct filter *filter, const struct filter_node *node,
                       struct error *err);
void filter_probe_deinit(struct filter_probe *probe);

// 0 or 1 for each of the rows `first` to `first + cnt`, at most WEIGHT_BLOCK_ROWS.
void filter_probe_rows(const struct filter_probe *probe, uint64_t first, uint32_t cnt,
                       uint8_t *mask);

#endif

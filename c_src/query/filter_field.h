// SPDX-License-Identifier: Apache-2.0
// What a test of a filter is about in one profile. Any thread.
#ifndef FLAME_PROF_QUERY_FILTER_FIELD_H
#define FLAME_PROF_QUERY_FILTER_FIELD_H

#include "query/filter.h"
#include "query/weight.h"

enum filter_field_kind {
    FILTER_FIELD_FUNCTION,  // any frame's name
    FILTER_FIELD_FILE,      // any frame's file
    FILTER_FIELD_LEAF,      // the innermost frame's name
    FILTER_FIELD_ROOT,      // the outermost frame's name
    FILTER_FIELD_DIMENSION, // a category or number of the sample
    FILTER_FIELD_PROCESS,   // <0.N.S>
    FILTER_FIELD_TIME,      // nanoseconds since the first sample
    FILTER_FIELD_WEIGHT,    // period, metric
};

struct filter_field {
    enum filter_field_kind kind;
    uint32_t dimension;
    struct weight weight;
};

// False, with the character and what there is, when the profile has no such field or
// it cannot be compared in this way.
bool filter_field_resolve(const struct profile *profile, const struct filter *filter,
                          const struct filter_node *node, struct filter_field *field,
                          struct error *err);

#endif

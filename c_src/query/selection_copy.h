// SPDX-License-Identifier: Apache-2.0
// The rows of a selection, with all they refer to, into another profile: what merging,
// splitting and converting are made of.
#ifndef FLAME_PROF_QUERY_SELECTION_COPY_H
#define FLAME_PROF_QUERY_SELECTION_COPY_H

#include "base/error.h"
#include "model/profile_builder.h"
#include "query/selection.h"

#include <stdbool.h>

// Adds sources, names and rows to the builder, in the order of time. Facts of a header come
// along; those of a footer (sums, losses) only with all rows of a single source.
// What the builder refuses it counts itself. False, with the reason: memory, a column
// that could not be read.
bool selection_copy(const struct selection *selection, struct profile_builder *builder,
                    struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
// What the numbers of a metric count, as far as its name is one of ours.
#ifndef FLAME_PROF_MODEL_METRIC_UNIT_H
#define FLAME_PROF_MODEL_METRIC_UNIT_H

#include "base/text.h"

// "bytes", "words", "nanoseconds", "count"; empty when unknown. Static. Pure.
struct text metric_unit(struct text name);

#endif

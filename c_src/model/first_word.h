// SPDX-License-Identifier: Apache-2.0
// What the first word of an event line is: an Erlang process's status, a scheduler's
// state, or the name of a native thread.
#ifndef FLAME_PROF_MODEL_FIRST_WORD_H
#define FLAME_PROF_MODEL_FIRST_WORD_H

#include "base/text.h"
#include "model/profile.h"

// By the event, and the first of its metrics (may be empty; the files of 2021 are
// known by it).
enum profile_dimension_idx first_word_of(struct text event, struct text metric);

#endif

// SPDX-License-Identifier: Apache-2.0
// Counts what cannot be read, and keeps the first of it to show.
#ifndef FLAME_PROF_IMPORT_INPUT_TROUBLE_H
#define FLAME_PROF_IMPORT_INPUT_TROUBLE_H

#include "base/text.h"
#include "model/profile.h"

// `line` is that of number stats->line_cnt.
void input_trouble_add(struct profile_input_stats *stats, struct text line);

#endif

// SPDX-License-Identifier: Apache-2.0
// The rules of a whole object, made of its call frame information, its stubs, Go's own table and
// the gaps between: what an unwinder's table is filled from. Hostile input.
#ifndef FLAME_PROF_UNWIND_OBJECT_RULES_H
#define FLAME_PROF_UNWIND_OBJECT_RULES_H

#include "unwind/frame_rule.h"

// All places of an object by rising address, those between functions as
// FRAME_CFA_NONE, rows equal to the one before left out. Counts functions whose
// entry is malformed.
uint32_t object_rules_each(const struct call_frame_table *table, frame_rule_visitor visit,
                           void *context);

#endif

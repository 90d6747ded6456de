// SPDX-License-Identifier: Apache-2.0
// How to get from a frame to its caller in the code of a Go program, by its own table. Hostile
// input.
#ifndef FLAME_PROF_UNWIND_GO_RULES_H
#define FLAME_PROF_UNWIND_GO_RULES_H

#include "unwind/frame_rule.h"
#include "unwind/go_table.h"

// From `pc` on `rule` holds, up to the next row. False ends it.
typedef bool (*go_rules_visitor)(void *context, uint64_t pc, const struct frame_rule *rule);

// All functions of the table, for x86-64, by rising address; padding has the rule of what is
// in front of it.
void go_rules_each(const struct go_table *table, go_rules_visitor visit, void *context);

#endif

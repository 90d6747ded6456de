// SPDX-License-Identifier: Apache-2.0
// How to get from a frame to its caller in the code of a Go program, by its own table. Hostile
// input.
#ifndef FLAME_PROF_UNWIND_GO_RULES_H
#define FLAME_PROF_UNWIND_GO_RULES_H

#include "unwind/frame_rule.h"
#include "unwind/go_table.h"

// All functions of the table, for x86-64, by rising address; padding has the rule of what is
// in front of it.
void go_rules_each(const struct go_table *table, frame_rule_visitor visit, void *context);

#endif

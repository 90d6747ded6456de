// SPDX-License-Identifier: Apache-2.0
// Whom to sample, decided here where the kernel cannot: as filter.bpf.h has it. Any
// thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_TASK_FILTER_H
#define FLAME_PROF_CAPTURE_SYSTEM_TASK_FILTER_H

#include "capture/system/system_filter.h"
#include "capture/system/task_table.h"

#include <stdbool.h>

// Whether a thread meets each kind of `filter` that is asked for. What is found out about
// the control groups of its process is kept in the table.
bool task_filter_passes(const struct system_filter *filter, struct task_table *table,
                        const struct task *thread);

#endif

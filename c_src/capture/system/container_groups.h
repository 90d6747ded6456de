// SPDX-License-Identifier: Apache-2.0
// The control groups of a container that runs, found by its processes. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CONTAINER_GROUPS_H
#define FLAME_PROF_CAPTURE_SYSTEM_CONTAINER_GROUPS_H

#include "base/error.h"
#include "capture/system/system_filter.h"

#include <stdbool.h>

// Adds those of the containers that are called `who` or whose id begins with it (six
// characters or more). False, with the reason, when none runs or its group has no id.
bool container_groups_add(struct system_filter *filter, const char *who, struct error *err);

#endif

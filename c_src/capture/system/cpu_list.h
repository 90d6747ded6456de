// SPDX-License-Identifier: Apache-2.0
// Sets of CPU numbers in the kernel's notation ("0-3,8,10-11").
#ifndef FLAME_PROF_CAPTURE_SYSTEM_CPU_LIST_H
#define FLAME_PROF_CAPTURE_SYSTEM_CPU_LIST_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { CPU_LIST_MAX_CPUS = 8192 };

struct cpu_list {
    uint64_t bits[CPU_LIST_MAX_CPUS / 64];
};

// Replaces the content. False, with the list empty, for anything but a list of
// numbers below CPU_LIST_MAX_CPUS.
bool cpu_list_parse(struct cpu_list *list, const char *notation);

// The CPUs that are online now.
bool cpu_list_read_online(struct cpu_list *list, struct error *err);

bool cpu_list_has(const struct cpu_list *list, uint32_t cpu);
uint32_t cpu_list_count(const struct cpu_list *list);

#endif

// SPDX-License-Identifier: Apache-2.0
// A filter into the maps of the BPF program. Around system_sampler's load, by it only.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_FILTER_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_FILTER_H

#include "base/error.h"
#include "capture/system/system_filter.h"

#include <stdbool.h>

struct bpf_map;

// Of the BPF program, where the values go.
struct sampler_filter_maps {
    const struct bpf_map *threads;
    const struct bpf_map *users;
    const struct bpf_map *comms;
    const struct bpf_map *cgroups;
};

// For the program's constants, before load: which kinds there are (bits of enum
// sampler_filter_kind), and the number of the controller, -1 for cgroup v2. False when
// this kernel has no such controller.
bool sampler_filter_kinds(const struct system_filter *filter, uint32_t *kinds_ret,
                          int *subsystem_ret, struct error *err);

// After load.
bool sampler_filter_fill(const struct system_filter *filter, const struct sampler_filter_maps *maps,
                         struct error *err);

#endif

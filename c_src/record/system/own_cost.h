// SPDX-License-Identifier: Apache-2.0
// What this process has cost so far. The BPF programs' time is not in it: the kernel
// counts it to those who were sampled. Any thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_OWN_COST_H
#define FLAME_PROF_RECORD_SYSTEM_OWN_COST_H

#include <stdint.h>

struct own_cost {
    uint64_t cpu_ns;    // since the start of the process
    uint64_t rss_bytes; // resident now
};

struct own_cost own_cost_now(void);

#endif

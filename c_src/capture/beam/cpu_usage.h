// SPDX-License-Identifier: Apache-2.0
// Which processes have used the most CPU time of late, as the scheduler sampler saw
// it: what selection by CPU goes by. Bounded: who has least gives way where there is
// no room. The thread that drains the samples adds, the walker's looks; the lock is
// held for an addition or a copy.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_USAGE_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_USAGE_H

#include <pthread.h>
#include <stdint.h>

enum { CPU_USAGE_CELLS = 4096 };

struct cpu_usage_cell {
    uint64_t id; // pid term, 0 = free
    uint64_t ns;
};

// As it was at one moment; the walker's own. 64 KiB.
struct cpu_usage_view {
    struct cpu_usage_cell cells[CPU_USAGE_CELLS];
};

struct cpu_usage {
    pthread_mutex_t lock;
    struct cpu_usage_view now;
};

void cpu_usage_init(struct cpu_usage *usage);
void cpu_usage_deinit(struct cpu_usage *usage);

void cpu_usage_add(struct cpu_usage *usage, uint64_t id, uint64_t ns);

// Copies what there is, and halves it: a process that has stopped working gives way to
// one that works, one that was missed once does not.
void cpu_usage_take(struct cpu_usage *usage, struct cpu_usage_view *view);

// CPU time of a process in ns, what is older counted less; 0 for one not seen.
uint64_t cpu_usage_of(const struct cpu_usage_view *view, uint64_t id);

#endif

// SPDX-License-Identifier: Apache-2.0
// What is remembered of each process (of a scheduler, when it ran none) between two CPU
// samples of it, and the metrics that a sample has by that. Bounded: who shares a cell with
// another, by the hash of its pid, begins again. One thread.
#ifndef FLAME_PROF_RECORD_BEAM_CPU_HISTORIES_H
#define FLAME_PROF_RECORD_BEAM_CPU_HISTORIES_H

#include "capture/beam/cpu_sample.h"
#include "capture/beam/process_progress.h"
#include "capture/beam/process_snapshot.h"
#include "record/beam/vm_gauges.h"

enum { CPU_HISTORIES_CELLS = 4096 };

// Reductions per CPU time, over a window of the process's own time.
struct reduction_rate {
    bool has_begun;
    int64_t reductions; // when the window began
    int64_t cpu_ns;
    int64_t per_ms; // of the last window long enough
};

struct cpu_history {
    uint64_t key;
    bool has_sizes;
    int64_t values[BEAM_METRIC_CNT];
    struct process_progress progress;
    struct reduction_rate rate;
    int64_t cpu_ns; // seen
};

// All zero: nobody was seen.
struct cpu_histories {
    struct cpu_history cells[CPU_HISTORIES_CELLS];
};

// metrics[BEAM_METRIC_ALL_CNT], all zero before. `snapshot` is the process's, NULL when the
// scheduler ran none.
void cpu_histories_take(struct cpu_histories *histories, struct vm_gauges *gauges,
                        const struct cpu_sample *sample, const struct process_snapshot *snapshot,
                        struct metric_value *metrics);

#endif

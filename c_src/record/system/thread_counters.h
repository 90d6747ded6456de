// SPDX-License-Identifier: Apache-2.0
// Metrics of a sample: the thread's counters and what they gained since its
// previous sample. Bounded: the threads not seen for longest are forgotten, and
// begin anew with deltas of 0. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_THREAD_COUNTERS_H
#define FLAME_PROF_RECORD_SYSTEM_THREAD_COUNTERS_H

#include "capture/system/system_sample.h"
#include "model/metric.h"

#include <stdint.h>

struct thread_counters;

// Remembers about `max_threads`. NULL when out of memory.
struct thread_counters *thread_counters_create(uint32_t max_threads);
void thread_counters_destroy(struct thread_counters *counters);

// Fills all SYSTEM_METRIC_CNT metrics. The delta of SYSTEM_METRIC_CPU_NS is
// `period_ns`, what the sample stands for, so that its sum is the CPU time
// sampled. Samples of one thread come in the order of time.
void thread_counters_take(struct thread_counters *counters, const struct system_sample *sample,
                          uint64_t period_ns, struct metric_value metrics[SYSTEM_METRIC_CNT]);

#endif

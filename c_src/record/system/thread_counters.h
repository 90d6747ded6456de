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

// The last metric is what the event itself weighs: the sum of the thread's samples so
// far, and this sample's weight. Not of the clock: native_cpu_ns says it.
enum { THREAD_METRIC_WEIGHT = SYSTEM_METRIC_CNT, THREAD_METRIC_CNT };

// Fills all metrics. The delta of SYSTEM_METRIC_CPU_NS of a sample of the clock is its
// weight, so that its sum is the CPU time sampled. Samples of one thread come in the order
// of time.
void thread_counters_take(struct thread_counters *counters, const struct system_sample *sample,
                          struct metric_value metrics[THREAD_METRIC_CNT]);

#endif

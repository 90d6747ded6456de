// SPDX-License-Identifier: Apache-2.0
// Samples without BPF, by perf events whose samples carry registers and the top of the
// stack; user stacks are walked here, by the same tables. As system_sampler.h has it, but:
// no time off the CPU; whom to sample is decided here; where no CPU may be sampled as a
// whole, processes of our own. One owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PERF_SAMPLER_H
#define FLAME_PROF_CAPTURE_SYSTEM_PERF_SAMPLER_H

#include "base/error.h"
#include "capture/system/mapping_events.h"
#include "capture/system/perf_event.h"
#include "capture/system/system_sampler.h"

struct perf_sampler;

// `mappings` is fed with what the kernel says; borrowed for the sampler's life.
struct perf_sampler *perf_sampler_create(const struct system_sampler_options *options,
                                         struct mapping_events *mappings,
                                         system_sample_handler handler, void *context,
                                         struct error *err);
void perf_sampler_destroy(struct perf_sampler *sampler);

bool perf_sampler_start(struct perf_sampler *sampler, struct error *err);
void perf_sampler_stop(struct perf_sampler *sampler);
void perf_sampler_drain(struct perf_sampler *sampler, int timeout_ms);
bool perf_sampler_trace(struct perf_sampler *sampler, uint32_t pid, struct error *err);

enum perf_event_reach perf_sampler_reach(const struct perf_sampler *sampler);
struct unwind_store *perf_sampler_unwind_store(struct perf_sampler *sampler);
struct system_event_counts perf_sampler_event_counts(const struct perf_sampler *sampler,
                                                     enum system_event event);
struct system_ticks perf_sampler_ticks(const struct perf_sampler *sampler);
uint64_t perf_sampler_start_ns(const struct perf_sampler *sampler);

#endif

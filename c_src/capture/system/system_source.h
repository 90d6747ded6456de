// SPDX-License-Identifier: Apache-2.0
// Where samples of the host come from: BPF (system_sampler.h), or where that is not
// allowed perf events (perf_sampler.h). Their functions, by the engine there is. One
// owner, one thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SOURCE_H
#define FLAME_PROF_CAPTURE_SYSTEM_SOURCE_H

#include "base/error.h"
#include "capture/system/mapping_events.h"
#include "capture/system/system_sampler.h"

#include <stdbool.h>
#include <stdint.h>

enum system_engine {
    SYSTEM_ENGINE_AUTO, // BPF, else perf events
    SYSTEM_ENGINE_BPF,
    SYSTEM_ENGINE_PERF_EVENTS,
};

struct system_source;

// Between two looks at rings that fill fast.
enum { SYSTEM_SOURCE_BUSY_MS = 100 };

// Nothing is sampled yet. NULL, with the reason: that of BPF where neither can be used.
struct system_source *system_source_create(enum system_engine engine,
                                           const struct system_sampler_options *options,
                                           system_sample_handler handler, void *context,
                                           struct error *err);
void system_source_destroy(struct system_source *source);

// As system_sampler.h has them.
bool system_source_start(struct system_source *source, struct error *err);
void system_source_stop(struct system_source *source);
bool system_source_drain(struct system_source *source, int timeout_ms);
bool system_source_drain_on(struct system_source *source);
int system_source_patience_ms(const struct system_source *source, int most_ms);
void system_source_take_over(struct system_source *source);
bool system_source_trace(struct system_source *source, uint32_t pid, struct error *err);
void system_source_flush_blocked(struct system_source *source);
struct unwind_store *system_source_unwind_store(struct system_source *source);
struct system_event_counts system_source_event_counts(const struct system_source *source,
                                                      enum system_event event);
struct exit_notice system_source_exits(const struct system_source *source, uint32_t i);
struct system_ticks system_source_ticks(const struct system_source *source);
// False where this engine cannot.
bool system_source_set_pace(struct system_source *source, uint32_t percent);
uint64_t system_source_start_ns(const struct system_source *source);

// As system_sampler.h has it; false where this engine cannot.
bool system_source_kernel_name(struct system_source *source, uint64_t address, struct text *name);

// What the kernel says of mappings; NULL where it says nothing. Valid until _destroy.
struct mapping_events *system_source_mappings(struct system_source *source);

bool system_source_is_bpf(const struct system_source *source);
// "bpf", "perf-events of every CPU", ...; static.
const char *system_source_level(const struct system_source *source);
// What this level cannot show, "" = nothing; static.
const char *system_source_lost(const struct system_source *source);
// Why not BPF, where it was to be tried; "" otherwise.
const char *system_source_reason(const struct system_source *source);
// Samples have the process ids of the host; otherwise our own pid namespace's.
bool system_source_has_host_pids(const struct system_source *source);

#endif

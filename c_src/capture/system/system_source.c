// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_source.h"

#include "base/log.h"
#include "capture/system/perf_sampler.h"

#include <stdlib.h>

// One of the two samplers is there.
struct system_source {
    struct system_sampler *bpf;
    struct perf_sampler *perf;
    struct mapping_events *mappings;
    struct error why_not_bpf;
};

#define NOT_COPIED                                                                                 \
    "time off the CPU, stacks deeper than 16 KiB (8 KiB above 250 Hz), callers of C code in "      \
    "Erlang"

static const struct {
    const char *level;
    const char *lost;
} LEVELS[] = {
    [PERF_EVENT_EVERY_CPU] = {"perf-events of every CPU", NOT_COPIED},
    [PERF_EVENT_OWN] = {"perf-events of our user's processes",
                        "other users' processes, " NOT_COPIED},
    [PERF_EVENT_OWN_USER] = {"perf-events of our user's processes, without the kernel",
                             "other users' processes, time in the kernel, " NOT_COPIED},
};

// --- choosing ---------------------------------------------------------------------------

// Without it, processes of a few milliseconds may have no names.
static struct mapping_events *open_mappings(enum mapping_events_mode mode)
{
    struct error err = {0};
    struct mapping_events *mappings = mapping_events_create(mode, &err);
    if (mappings == NULL) {
        log_info("%s: processes of a few milliseconds may have no names", err.detail);
    }
    return mappings;
}

static bool open_bpf(struct system_source *source, const struct system_sampler_options *options,
                     system_sample_handler handler, void *context, struct error *err)
{
    source->bpf = system_sampler_create(options, handler, context, err);
    if (source->bpf != NULL) {
        source->mappings = open_mappings(MAPPING_EVENTS_LISTEN);
    }
    return source->bpf != NULL;
}

static bool open_perf(struct system_source *source, const struct system_sampler_options *options,
                      system_sample_handler handler, void *context, struct error *err)
{
    source->mappings = open_mappings(MAPPING_EVENTS_FED);
    if (source->mappings == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "perf events: out of memory");
    }
    source->perf = perf_sampler_create(options, source->mappings, handler, context, err);
    return source->perf != NULL;
}

// Only rights and the kernel are a reason to do without BPF.
static bool may_fall_back(const struct error *why)
{
    return why->code == ERROR_NOT_PERMITTED || why->code == ERROR_UNSUPPORTED;
}

static bool open_either(struct system_source *source, const struct system_sampler_options *options,
                        system_sample_handler handler, void *context, struct error *err)
{
    struct error why = {0};
    if (open_bpf(source, options, handler, context, &source->why_not_bpf)) {
        return true;
    }
    if (may_fall_back(&source->why_not_bpf) && open_perf(source, options, handler, context, &why)) {
        return true;
    }
    if (err != NULL) {
        *err = source->why_not_bpf;
    }
    return false;
}

struct system_source *system_source_create(enum system_engine engine,
                                           const struct system_sampler_options *options,
                                           system_sample_handler handler, void *context,
                                           struct error *err)
{
    struct system_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "allocate the sampler: out of memory");
        return NULL;
    }
    bool ok = false;
    switch (engine) {
    case SYSTEM_ENGINE_BPF:
        ok = open_bpf(source, options, handler, context, err);
        break;
    case SYSTEM_ENGINE_PERF_EVENTS:
        ok = open_perf(source, options, handler, context, err);
        break;
    default:
        ok = open_either(source, options, handler, context, err);
    }
    if (!ok) {
        system_source_destroy(source);
        return NULL;
    }
    return source;
}

void system_source_destroy(struct system_source *source)
{
    if (source == NULL) {
        return;
    }
    system_sampler_destroy(source->bpf);
    perf_sampler_destroy(source->perf);
    mapping_events_destroy(source->mappings);
    free(source);
}

// --- the engine's functions ---------------------------------------------------------------

bool system_source_start(struct system_source *source, struct error *err)
{
    return source->bpf != NULL ? system_sampler_start(source->bpf, err)
                               : perf_sampler_start(source->perf, err);
}

void system_source_stop(struct system_source *source)
{
    if (source->bpf != NULL) {
        system_sampler_stop(source->bpf);
    } else {
        perf_sampler_stop(source->perf);
    }
}

bool system_source_drain(struct system_source *source, int timeout_ms)
{
    if (source->bpf != NULL) {
        return system_sampler_drain(source->bpf, timeout_ms);
    }
    perf_sampler_drain(source->perf, timeout_ms); // in one piece
    return false;
}

bool system_source_drain_on(struct system_source *source)
{
    return source->bpf != NULL && system_sampler_drain_on(source->bpf);
}

// The stacks that perf events copy are large.
int system_source_patience_ms(const struct system_source *source, int most_ms)
{
    if (source->bpf != NULL) {
        return system_sampler_patience_ms(source->bpf, most_ms);
    }
    return most_ms < SYSTEM_SOURCE_BUSY_MS ? most_ms : SYSTEM_SOURCE_BUSY_MS;
}

void system_source_take_over(struct system_source *source)
{
    if (source->bpf != NULL) {
        system_sampler_take_over(source->bpf);
    }
}

bool system_source_trace(struct system_source *source, uint32_t pid, struct error *err)
{
    return source->bpf != NULL ? system_sampler_trace(source->bpf, pid, err)
                               : perf_sampler_trace(source->perf, pid, err);
}

void system_source_flush_blocked(struct system_source *source)
{
    if (source->bpf != NULL) {
        system_sampler_flush_blocked(source->bpf);
    }
}

struct unwind_store *system_source_unwind_store(struct system_source *source)
{
    return source->bpf != NULL ? system_sampler_unwind_store(source->bpf)
                               : perf_sampler_unwind_store(source->perf);
}

struct system_event_counts system_source_event_counts(const struct system_source *source,
                                                      enum system_event event)
{
    return source->bpf != NULL ? system_sampler_event_counts(source->bpf, event)
                               : perf_sampler_event_counts(source->perf, event);
}

bool system_source_is_bpf(const struct system_source *source)
{
    return source->bpf != NULL;
}

bool system_source_set_pace(struct system_source *source, uint32_t percent)
{
    if (source->bpf != NULL) {
        system_sampler_set_pace(source->bpf, percent);
    }
    return source->bpf != NULL;
}

struct exit_notice system_source_exits(const struct system_source *source, uint32_t i)
{
    return source->bpf != NULL ? system_sampler_exits(source->bpf, i) : (struct exit_notice){0};
}

struct system_ticks system_source_ticks(const struct system_source *source)
{
    return source->bpf != NULL ? system_sampler_ticks(source->bpf)
                               : perf_sampler_ticks(source->perf);
}

uint64_t system_source_start_ns(const struct system_source *source)
{
    return source->bpf != NULL ? system_sampler_start_ns(source->bpf)
                               : perf_sampler_start_ns(source->perf);
}

bool system_source_kernel_name(struct system_source *source, uint64_t address, struct text *name)
{
    return source->bpf != NULL && system_sampler_kernel_name(source->bpf, address, name);
}

struct mapping_events *system_source_mappings(struct system_source *source)
{
    return source->mappings;
}

// --- what it is ---------------------------------------------------------------------------

const char *system_source_level(const struct system_source *source)
{
    return source->bpf != NULL ? "bpf" : LEVELS[perf_sampler_reach(source->perf)].level;
}

const char *system_source_lost(const struct system_source *source)
{
    return source->bpf != NULL ? "" : LEVELS[perf_sampler_reach(source->perf)].lost;
}

const char *system_source_reason(const struct system_source *source)
{
    return source->bpf != NULL ? "" : source->why_not_bpf.detail;
}

bool system_source_has_host_pids(const struct system_source *source)
{
    return source->bpf != NULL;
}

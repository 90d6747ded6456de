// SPDX-License-Identifier: Apache-2.0
#include "record/system/system_recording.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/system/mapping_events.h"
#include "model/session.h"
#include "record/system/beam_names.h"
#include "record/system/frame_names.h"
#include "record/system/privileges.h"
#include "record/system/sample_queue.h"
#include "record/system/thread_counters.h"
#include "record/system/unwind_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    MAX_QUEUE_BYTES = 16 << 20,
    MAX_THREADS = 32768,
    // Little CPU, but soon: processes to be read are gone in milliseconds.
    OWN_NICE = -10,
    MAX_HISTORY_BYTES = 16 << 20,
};
// A CPU can be that much behind the others in handing over what it has.
#define HOLD_BACK_NS (100ULL * CLOCK_NS_PER_MS)

struct system_recording {
    struct system_recording_options options;
    struct session session;
    struct loss_counters losses;
    struct recording output;
    struct system_sampler *sampler;
    struct sample_queue queue;
    struct thread_counters *threads;
    struct process_history *history;
    struct beam_names *beams;
    struct mapping_events *mappings; // NULL: /proc alone
    struct frame_names *names;
    struct system_categories *categories;
    struct unwind_tables *tables;
    struct system_ticks seen_ticks; // those already in `losses`
    struct system_recording_stats stats;
    uint64_t drained_ns;
    uint32_t told_in;                   // output file, by recording.begun_cnt
    uint64_t walked[SYSTEM_MAX_FRAMES]; // frames of a stack that is walked here
    struct named_stack stack;
    struct frame frames[FRAME_NAMES_MAX_FRAMES + SYSTEM_CATEGORIES_MAX]; // of one sample
};

// --- header -------------------------------------------------------------------

static void fill_session(struct system_recording *recording)
{
    static const char *const SCOPES[] = {
        [SYSTEM_SCOPE_HOST] = "host",
        [SYSTEM_SCOPE_PROCESSES] = "processes",
        [SYSTEM_SCOPE_TREES] = "processes and their children",
    };
    char rights[256];
    const struct system_sampler_options *sampler = &recording->options.sampler;
    struct session *session = &recording->session;
    session_init_system(session);
    (void)session_set(session, "sample_interval_ns", "%llu",
                      (unsigned long long)sampler->period_ns);
    (void)session_set(session, "scope", "%s", SCOPES[sampler->scope]);
    (void)session_set(session, "unwinder", "tables, frame pointers, Erlang stacks");
    (void)session_set(session, "options", "%s", recording->options.options_text);
    privileges_describe(rights, sizeof rights);
    (void)session_set(session, "privileges", "%s", rights);
}

// --- from the ring to the queue -----------------------------------------------

static bool is_of_beam(const struct system_sample *sample)
{
    return sample->erlang_pid != 0 || sample->stack_end == SYSTEM_STACK_BEAM_IDLE ||
           sample->stack_end == SYSTEM_STACK_BEAM_UNKNOWN ||
           sample->stack_end == SYSTEM_STACK_BEAM_UNVERIFIED;
}

static bool recall_maps(void *context, uint32_t pid, struct process_maps *maps)
{
    struct mapping_events *mappings = context;
    mapping_events_drain(mappings);
    return mapping_events_find(mappings, pid, maps);
}

static void open_mappings(struct system_recording *recording)
{
    struct error err = {0};
    recording->mappings = mapping_events_create(&err);
    if (recording->mappings == NULL) {
        log_info("%s: processes of a few milliseconds may have no names", err.detail);
        return;
    }
    process_history_set_source(recording->history, recall_maps, recording->mappings);
}

// A second time, where a library was loaded after the mappings were read.
static void walk(struct system_recording *recording, struct process *process,
                 struct system_sample *sample)
{
    struct unwind_store *store = system_sampler_unwind_store(recording->sampler);
    const struct system_snapshot *snapshot = sample->snapshot;
    memcpy(recording->walked, sample->frames, sample->kernel_cnt * sizeof *sample->frames);
    unwind_store_walk(store, sample, recording->walked);
    if (sample->stack_end == SYSTEM_STACK_NO_MAPPING && process != NULL) {
        process_history_refresh(recording->history, process, recording->drained_ns);
        unwind_tables_note(recording->tables, process, recording->drained_ns);
        sample->snapshot = snapshot;
        unwind_store_walk(store, sample, recording->walked);
    }
}

// Its process is read, has tables, and its stack is walked if that is still to do.
static void complete(struct system_recording *recording, struct system_sample *sample)
{
    uint64_t now_ns = recording->drained_ns;
    (void)process_history_note(recording->history, sample->pid, sample->address_space, now_ns);
    struct process *process =
        process_history_find(recording->history, sample->pid, sample->address_space);
    if (process != NULL) {
        if (sample->stack_end == SYSTEM_STACK_NO_MAPPING) {
            process_history_refresh(recording->history, process, now_ns);
        }
        unwind_tables_note(recording->tables, process, now_ns);
    }
    if (sample->snapshot != NULL) {
        walk(recording, process, sample);
    }
    if (process != NULL && is_of_beam(sample)) {
        sample->code_generation = beam_names_note(recording->beams, process, now_ns);
    }
}

static void on_sample(void *context, const struct system_sample *raw)
{
    struct system_recording *recording = context;
    struct system_sample sample = *raw;
    complete(recording, &sample);
    frame_names_note(recording->names, &sample, recording->drained_ns);
    system_categories_note(recording->categories, &sample);
    switch (sample_queue_push(&recording->queue, &sample)) {
    case SAMPLE_QUEUED:
        break;
    case SAMPLE_LATE:
        loss_add(&recording->losses, LOSS_LATE, 1);
        break;
    case SAMPLE_REFUSED:
        loss_add(&recording->losses, LOSS_NO_MEMORY, 1);
        break;
    }
}

// --- from the queue to the file -----------------------------------------------

static void count_degraded(struct system_recording *recording, const struct system_sample *sample)
{
    enum system_stack_end end = sample->stack_end;
    recording->stats.stack_ends[end]++;
    recording->stats.frame_cnt += recording->stack.frame_cnt;
    recording->stats.unnamed_frame_cnt += recording->stack.unnamed_cnt;
    if (sample->user_omitted > 0 || end == SYSTEM_STACK_TOO_DEEP) {
        degraded_add(&recording->losses, DEGRADED_STACK_TRUNCATED);
    } else if (end == SYSTEM_STACK_32BIT) {
        degraded_add(&recording->losses, DEGRADED_STACK_MISSING);
    } else if (!system_stack_is_complete(end)) {
        degraded_add(&recording->losses, DEGRADED_STACK_PARTIAL);
    }
    if (recording->stack.unnamed_cnt > 0) {
        degraded_add(&recording->losses, DEGRADED_NAME_UNKNOWN);
    }
}

// The stack, then what the sample belongs to.
static uint32_t join_frames(struct system_recording *recording, const struct system_sample *sample)
{
    uint32_t cnt = recording->stack.frame_cnt;
    memcpy(recording->frames, recording->stack.frames, cnt * sizeof *recording->frames);
    return cnt + system_categories_frames(recording->categories, sample, recording->frames + cnt);
}

// Each output file tells all builds that were seen up to its end.
static void tell_files(struct system_recording *recording)
{
    const char *line = NULL;
    if (recording->told_in != recording->output.begun_cnt) {
        recording->told_in = recording->output.begun_cnt;
        frame_names_rewind_files(recording->names);
    }
    while (frame_names_next_file(recording->names, &line)) {
        recording_comment(&recording->output, "mapping", line);
    }
}

static void write_sample(struct system_recording *recording, const struct system_sample *sample)
{
    struct metric_value metrics[SYSTEM_METRIC_CNT];
    uint64_t period_ns = recording->options.sampler.period_ns;
    thread_counters_take(recording->threads, sample, period_ns, metrics);
    frame_names_name(recording->names, sample, recording->drained_ns, &recording->stack);
    count_degraded(recording, sample);
    tell_files(recording);
    struct sample named = {
        .time_ns = sample->time_ns,
        .period_ns = period_ns,
        .cpu = sample->cpu,
        .pid = sample->pid,
        .tid = sample->tid,
        .category = text_of(sample->comm),
        .frames = recording->frames,
        .frame_cnt = join_frames(recording, sample),
        .metrics = metrics,
    };
    recording_write(&recording->output, &named);
}

static void write_until(struct system_recording *recording, uint64_t until_ns)
{
    const struct system_sample *sample = NULL;
    while ((sample = sample_queue_pop(&recording->queue, until_ns)) != NULL) {
        write_sample(recording, sample);
    }
}

static void take_ticks(struct system_recording *recording)
{
    struct system_ticks now = system_sampler_ticks(recording->sampler);
    struct system_ticks *seen = &recording->seen_ticks;
    struct loss_counters *losses = &recording->losses;
    uint64_t samples = now.samples - seen->samples;
    uint64_t ring_full = now.ring_full - seen->ring_full;
    uint64_t missed = now.missed - seen->missed;
    loss_add(losses, LOSS_RING_FULL, ring_full);
    loss_add(losses, LOSS_THROTTLED, missed);
    atomic_fetch_add_explicit(&losses->ticks_taken, samples, memory_order_relaxed);
    atomic_fetch_add_explicit(&losses->ticks_expected, samples + ring_full + missed,
                              memory_order_relaxed);
    *seen = now;
}

// --- lifecycle ----------------------------------------------------------------

static bool open_parts(struct system_recording *recording, struct error *err)
{
    const struct system_recording_options *options = &recording->options;
    sample_queue_init(&recording->queue, MAX_QUEUE_BYTES);
    recording->threads = thread_counters_create(MAX_THREADS);
    recording->history = process_history_create(MAX_HISTORY_BYTES);
    recording->beams = beam_names_create();
    recording->names = frame_names_create(&options->names, recording->history, recording->beams,
                                          options->output.sink);
    recording->categories = system_categories_create(&options->categories);
    if (recording->threads == NULL || recording->history == NULL || recording->beams == NULL ||
        recording->names == NULL || recording->categories == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "record: out of memory");
    }
    recording->sampler = system_sampler_create(&options->sampler, on_sample, recording, err);
    if (recording->sampler == NULL) {
        return false;
    }
    recording->tables = unwind_tables_create(system_sampler_unwind_store(recording->sampler));
    if (recording->tables == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "record: out of memory");
    }
    open_mappings(recording);
    fill_session(recording);
    return recording_open(&recording->output, &recording->session, &recording->losses,
                          &options->output, err);
}

struct system_recording *system_recording_create(const struct system_recording_options *options,
                                                 struct error *err)
{
    struct system_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "record: out of memory");
        return NULL;
    }
    recording->options = *options;
    if (!open_parts(recording, err)) {
        system_recording_destroy(recording);
        return NULL;
    }
    recording->options.sampler.pids = NULL; // borrowed for this call only
    return recording;
}

void system_recording_destroy(struct system_recording *recording)
{
    if (recording == NULL) {
        return;
    }
    (void)recording_close(&recording->output, "not stopped", NULL);
    unwind_tables_destroy(recording->tables);
    system_sampler_destroy(recording->sampler);
    sample_queue_deinit(&recording->queue);
    thread_counters_destroy(recording->threads);
    frame_names_destroy(recording->names);
    system_categories_destroy(recording->categories);
    beam_names_destroy(recording->beams);
    mapping_events_destroy(recording->mappings);
    process_history_destroy(recording->history);
    free(recording);
}

bool system_recording_start(struct system_recording *recording, struct error *err)
{
    recording->drained_ns = clock_monotonic_ns();
    (void)setpriority(PRIO_PROCESS, 0, OWN_NICE); // of this thread only; where we may
    if (!system_sampler_start(recording->sampler, err)) {
        return false;
    }
    recording->stats.start_ns = system_sampler_start_ns(recording->sampler);
    return true;
}

bool system_recording_trace(struct system_recording *recording, uint32_t pid, struct error *err)
{
    return system_sampler_trace(recording->sampler, pid, err);
}

void system_recording_step(struct system_recording *recording, int timeout_ms)
{
    system_sampler_drain(recording->sampler, timeout_ms);
    if (recording->mappings != NULL) {
        mapping_events_drain(recording->mappings);
    }
    recording->drained_ns = clock_monotonic_ns();
    write_until(recording, recording->drained_ns - HOLD_BACK_NS);
    take_ticks(recording);
    recording->stats.elapsed_ns = recording->drained_ns - recording->stats.start_ns;
    recording_tick(&recording->output);
}

// Of the whole recording: "complete=120 erlang=40 ...".
static void note_stack_ends(struct system_recording *recording)
{
    char text[512] = "";
    size_t len = 0;
    for (int i = 0; i < SYSTEM_STACK_END_CNT; i++) {
        if (recording->stats.stack_ends[i] > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%llu", len > 0 ? " " : "",
                                    system_stack_end_name((enum system_stack_end)i),
                                    (unsigned long long)recording->stats.stack_ends[i]);
        }
    }
    recording_note(&recording->output, "stack_ends", text);
}

bool system_recording_stop(struct system_recording *recording, const char *end_reason,
                           struct error *err)
{
    system_sampler_stop(recording->sampler);
    recording->stats.elapsed_ns = clock_monotonic_ns() - recording->stats.start_ns;
    system_sampler_drain(recording->sampler, 0);
    recording->drained_ns = clock_monotonic_ns();
    write_until(recording, UINT64_MAX);
    take_ticks(recording);
    note_stack_ends(recording);
    return recording_close(&recording->output, end_reason, err);
}

struct system_recording_stats system_recording_stats(const struct system_recording *recording)
{
    struct system_recording_stats stats = recording->stats;
    const struct file_series *files = &recording->output.files;
    stats.sample_cnt = recording->output.sample_cnt;
    stats.written_bytes = files->total_bytes + (files->fd < 0 ? 0 : files->file_bytes);
    stats.file_cnt = files->finished_cnt;
    stats.ticks = system_sampler_ticks(recording->sampler);
    stats.losses = loss_counters_read(&recording->losses);
    stats.unread_processes = process_history_unread(recording->history);
    return stats;
}

void system_recording_path(const struct system_recording *recording, char *path, size_t path_bytes)
{
    file_series_path(&recording->output.files, path, path_bytes);
}

// SPDX-License-Identifier: Apache-2.0
#include "record/beam/beam_recording.h"

#include "base/clock.h"
#include "base/quiet_thread.h"
#include "capture/beam/cpu_usage.h"
#include "record/beam/code_follower.h"
#include "record/beam/process_stack.h"
#include "sinks/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DRAIN_INTERVAL_NS = 100 * CLOCK_NS_PER_MS,
    // A handler that was interrupted may commit a sample after a younger one.
    CPU_SETTLE_NS = 20 * CLOCK_NS_PER_MS,
    NAMES_MAX_BYTES = 8 << 20,
    SAMPLES_PER_LOOK = 16, // at the clock
    RING_SPARE = 8,        // a part of an armed capture's ring is for what comes meanwhile
};

struct beam_recording {
    struct otp_layout layout;
    struct session session;
    struct beam_recording_options options;
    struct walker walker;
    struct code_follower code;
    struct process_names *names;
    struct application_table applications;
    struct vm_gauges *gauges;
    struct metric_choice metrics;
    struct recording output;
    struct cpu_recording *cpu; // NULL: none
    struct cpu_usage cpu_usage;
    struct own_processes own;
    struct dump dump;
    struct process_stack stack;
    uint32_t os_pid;
    pthread_t writer;
    pthread_mutex_t lock; // guards what is below
    pthread_cond_t changed;
    bool stopping;
    struct dump_request dump_request; // the last one asked for
    char end_reason[192];
    bool note_is_new;
    char note[RECORDING_NOTE_BYTES];
    struct beam_recording_status status;
};

// ---- one sample -----------------------------------------------------------------

static void write_sample(struct beam_recording *recording, const struct process_sample *raw)
{
    struct metric_value metrics[BEAM_METRIC_ALL_CNT] = {{0}};
    struct metric_value chosen[METRIC_MAX_CNT];
    memcpy(metrics, raw->metrics, sizeof raw->metrics);
    vm_gauges_take_port_queue(recording->gauges, raw->id, metrics);
    metric_choice_take(&recording->metrics, metrics, chosen);
    process_stack_build(&recording->stack, raw);
    if (recording->stack.has_unknown) {
        degraded_add(&recording->walker.losses, DEGRADED_NAME_UNKNOWN);
    }
    struct sample sample = {
        .time_ns = raw->time_ns,
        .period_ns = raw->period_ns,
        .pid = recording->os_pid,
        .tid = process_names_number(recording->names, raw->id),
        .category = text_of(process_status_name((enum process_status)raw->status)),
        .frames = recording->stack.frames,
        .frame_cnt = recording->stack.frame_cnt,
        .metrics = chosen,
    };
    recording_write(&recording->output, &sample);
}

static enum dump_fate fate_of(struct beam_recording *recording, const struct process_sample *raw,
                              uint64_t now_ns)
{
    return dump_window_fate(&recording->dump.window, raw->time_ns,
                            spsc_ring_used_bytes(&recording->walker.ring), now_ns);
}

// False when more is there than could be written until `until_ns`: a walker that is
// faster than the writer must not keep it from syncing, rotating and stopping.
static bool drain(struct beam_recording *recording, uint64_t until_ns)
{
    uint32_t len;
    const struct process_sample *raw;
    bool may_read = true;
    uint64_t now_ns = 0;
    for (uint32_t i = 0; (raw = spsc_ring_peek(&recording->walker.ring, &len)) != NULL; i++) {
        now_ns = i % SAMPLES_PER_LOOK == 0 ? clock_monotonic_ns() : now_ns;
        if (now_ns >= until_ns) {
            return false;
        }
        enum dump_fate fate = fate_of(recording, raw, now_ns);
        if (fate == DUMP_KEEP) {
            return true;
        }
        if (fate == DUMP_DROP) {
            spsc_ring_pop(&recording->walker.ring);
            continue;
        }
        // Code that came since the last look: read once, or the sample would be
        // named by what was there before.
        if (may_read && code_follower_is_behind(&recording->code, raw->code_generation)) {
            may_read = code_follower_read(&recording->code);
        }
        write_sample(recording, raw);
        spsc_ring_pop(&recording->walker.ring);
    }
    return true;
}

// Code that came since the last look is read before its samples are named.
static bool drain_cpu(struct beam_recording *recording, uint64_t until_ns, bool is_last)
{
    if (recording->cpu == NULL) {
        return true;
    }
    uint64_t now_ns = clock_monotonic_ns();
    if (code_follower_is_behind(&recording->code,
                                cpu_recording_newest_generation(recording->cpu))) {
        (void)code_follower_read(&recording->code);
    }
    bool all = cpu_recording_drain(recording->cpu, is_last ? UINT64_MAX : now_ns - CPU_SETTLE_NS,
                                   until_ns);
    cpu_recording_tick(recording->cpu);
    return all;
}

// ---- the pace -------------------------------------------------------------------

void beam_recording_stretch(struct beam_recording *recording, uint32_t percent, const char *note)
{
    walker_stretch(&recording->walker, percent);
    pthread_mutex_lock(&recording->lock);
    (void)snprintf(recording->note, sizeof recording->note, "%s", note);
    recording->note_is_new = true;
    pthread_mutex_unlock(&recording->lock);
}

static void note_pace(struct beam_recording *recording)
{
    char note[RECORDING_NOTE_BYTES];
    pthread_mutex_lock(&recording->lock);
    bool is_new = recording->note_is_new;
    recording->note_is_new = false;
    memcpy(note, recording->note, sizeof note);
    pthread_mutex_unlock(&recording->lock);
    if (is_new) {
        recording_note(&recording->output, "governor", note);
    }
}

// ---- dumps of an armed capture --------------------------------------------------

static void tell_dump(struct beam_recording *recording, enum dump_result result,
                      const struct error *err)
{
    pthread_mutex_lock(&recording->lock);
    recording->status.dump.result = result;
    recording->status.dump.done_cnt++;
    if (result == DUMP_FAILED) {
        recording->status.last_error = *err;
    }
    pthread_mutex_unlock(&recording->lock);
}

static void begin_dump(struct beam_recording *recording, const struct dump_request *request)
{
    struct error err = {0};
    uint32_t len;
    const struct process_sample *oldest = spsc_ring_peek(&recording->walker.ring, &len);
    if (!dump_begin(&recording->dump, request, oldest == NULL ? 0 : oldest->time_ns, &err)) {
        tell_dump(recording, DUMP_FAILED, &err);
    } else if (recording->cpu != NULL) {
        cpu_recording_begin_dump(recording->cpu, request);
    }
}

static void begin_dump_if_asked(struct beam_recording *recording)
{
    if (recording->dump.window.keep_ns == 0 || recording->dump.window.open) {
        return;
    }
    dump_note_losses(&recording->dump);
    pthread_mutex_lock(&recording->lock);
    bool asked = recording->status.dump.asked_cnt != recording->status.dump.done_cnt;
    pthread_mutex_unlock(&recording->lock);
    if (asked) { // and the next is refused until this one is done
        begin_dump(recording, &recording->dump_request);
    }
}

static void end_dump_if_over(struct beam_recording *recording)
{
    struct error err = {0};
    bool cpu_is_over = recording->cpu == NULL || cpu_recording_dump_is_over(recording->cpu);
    if (!cpu_is_over || !dump_window_is_over(&recording->dump.window, clock_monotonic_ns())) {
        return;
    }
    enum dump_result result = dump_end(&recording->dump, &err);
    if (recording->cpu != NULL) {
        cpu_recording_end_dump(recording->cpu);
    }
    tell_dump(recording, result, &err);
}

bool beam_recording_dump(struct beam_recording *recording, const struct dump_request *request)
{
    struct dump_status *dump = &recording->status.dump;
    pthread_mutex_lock(&recording->lock);
    bool free = recording->options.keep_ns != 0 && dump->asked_cnt == dump->done_cnt &&
                !recording->stopping;
    if (free) {
        recording->dump_request = *request;
        dump->asked_cnt++;
    }
    pthread_mutex_unlock(&recording->lock);
    return free;
}

// ---- status ---------------------------------------------------------------------

static void copy_memory(struct beam_recording *recording, struct dump_status *dump)
{
    uint32_t len;
    const struct process_sample *oldest = spsc_ring_peek(&recording->walker.ring, &len);
    dump->kept_ns = oldest == NULL ? 0 : clock_monotonic_ns() - oldest->time_ns;
    dump->kept_bytes = spsc_ring_used_bytes(&recording->walker.ring);
    dump->early_cnt = recording->dump.window.early_cnt;
}

static void publish(struct beam_recording *recording)
{
    const struct recording *output = &recording->output;
    struct beam_recording_status *status = &recording->status;
    pthread_mutex_lock(&recording->lock);
    beam_recording_status_note_files(status, &output->files);
    bool writing = output->state == RECORDING_WRITING;
    (void)snprintf(status->current_file, sizeof status->current_file, "%s",
                   writing ? output->files.name : "");
    status->failing = output->state == RECORDING_FAILED;
    status->last_error = output->last_error;
    status->sample_cnt = output->sample_cnt;
    status->bytes = output->files.total_bytes + (writing ? output->files.file_bytes : 0);
    status->writer_cpu_ns = clock_thread_cpu_ns();
    if (recording->cpu != NULL) {
        cpu_recording_status(recording->cpu, &status->cpu);
    }
    copy_memory(recording, &status->dump);
    status->module_cnt = code_map_module_cnt(recording->code.code);
    status->memory_bytes = code_map_memory_bytes(recording->code.code) +
                           recording->walker.ring.size + sizeof *recording +
                           recording_memory_bytes(output);
    status->memory_bytes += status->cpu.memory_bytes;
    pthread_mutex_unlock(&recording->lock);
}

void beam_recording_status(struct beam_recording *recording,
                           struct beam_recording_status *status_ret)
{
    pthread_mutex_lock(&recording->lock);
    *status_ret = recording->status;
    pthread_mutex_unlock(&recording->lock);
    beam_recording_status_take_walker(status_ret, &recording->walker);
}

// ---- the writer's thread --------------------------------------------------------

static struct timespec timespec_of(uint64_t time_ns)
{
    return (struct timespec){.tv_sec = (time_t)(time_ns / CLOCK_NS_PER_S),
                             .tv_nsec = (long)(time_ns % CLOCK_NS_PER_S)};
}

static bool wait_for_stop(struct beam_recording *recording, uint64_t until_ns)
{
    struct timespec until = timespec_of(until_ns);
    pthread_mutex_lock(&recording->lock);
    int status = 0;
    while (!recording->stopping && status != ETIMEDOUT) {
        status = pthread_cond_timedwait(&recording->changed, &recording->lock, &until);
    }
    bool stopping = recording->stopping;
    pthread_mutex_unlock(&recording->lock);
    return stopping;
}

static bool write_what_is_there(struct beam_recording *recording, uint64_t until_ns)
{
    code_follower_look(&recording->code);
    note_pace(recording);
    begin_dump_if_asked(recording);
    bool all = drain(recording, until_ns);
    all = drain_cpu(recording, until_ns, until_ns == UINT64_MAX) && all;
    if (all) {
        end_dump_if_over(recording);
    }
    recording_tick(&recording->output);
    publish(recording);
    return all;
}

static void announce_done(struct beam_recording *recording, const struct error *close_err)
{
    void (*on_done)(void *context) = recording->options.on_done;
    void *context = recording->options.on_done_context;
    pthread_mutex_lock(&recording->lock);
    if (close_err->code != ERROR_NONE) {
        recording->status.last_error = *close_err;
    }
    recording->status.done = true;
    pthread_cond_broadcast(&recording->changed);
    pthread_mutex_unlock(&recording->lock);
    if (on_done != NULL) {
        on_done(context); // may free us
    }
}

static void *write_samples(void *context)
{
    struct beam_recording *recording = context;
    struct error close_err = {0};
    quiet_thread_ask_for_short_slices();
    uint64_t next_ns = clock_monotonic_ns() + DRAIN_INTERVAL_NS;
    while (!wait_for_stop(recording, next_ns)) {
        bool all = write_what_is_there(recording, clock_monotonic_ns() + DRAIN_INTERVAL_NS);
        next_ns = clock_monotonic_ns() + (all ? DRAIN_INTERVAL_NS : 0);
    }
    if (recording->cpu != NULL) {
        cpu_recording_stop(recording->cpu);
    }
    walker_stop(&recording->walker);
    (void)write_what_is_there(recording, UINT64_MAX);
    (void)recording_close(&recording->output, recording->end_reason, &close_err);
    if (recording->cpu != NULL) {
        cpu_recording_close(recording->cpu, recording->end_reason);
    }
    publish(recording);
    memory_reader_close(&recording->walker.reader);
    code_follower_close(&recording->code);
    announce_done(recording, &close_err);
    return NULL;
}

// ---- life -----------------------------------------------------------------------

static bool start_writer(struct beam_recording *recording, struct error *err)
{
    bool ok =
        quiet_thread_start(&recording->writer, "flame_prof_writ", write_samples, recording, err);
    if (ok) {
        (void)pthread_detach(recording->writer);
    }
    return ok;
}

static struct beam_recording *allocate(const struct otp_layout *layout,
                                       const struct session *session,
                                       const struct term_texts *texts,
                                       const struct beam_recording_options *options)
{
    struct beam_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        return NULL;
    }
    recording->layout = *layout;
    recording->session = *session;
    recording->options = *options;
    recording->os_pid = (uint32_t)getpid();
    recording->names = process_names_create(texts, NAMES_MAX_BYTES);
    application_table_init(&recording->applications);
    recording->gauges = vm_gauges_create();
    metric_choice_make(&recording->metrics, options->cpu.metrics, METRIC_OF_WALKER);
    session_choose_metrics(&recording->session, &recording->metrics);
    cpu_usage_init(&recording->cpu_usage);
    for (uint32_t i = 0; i < options->walker.excluded_cnt; i++) {
        own_processes_add(&recording->own, options->walker.excluded[i]);
    }
    recording->options.walker.cpu_usage = &recording->cpu_usage;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&recording->lock, NULL);
    (void)pthread_cond_init(&recording->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)snprintf(recording->status.directory, sizeof recording->status.directory, "%s",
                   options->output.files.directory);
    return recording;
}

// The walker goes on without it; status.cpu_err says why.
static void start_cpu(struct beam_recording *recording, const struct vm_memory *memory)
{
    struct beam_recording_options *options = &recording->options;
    const struct cpu_recording_sources sources = {
        .layout = &recording->layout,
        .memory = memory,
        .code = recording->code.code,
        .names = recording->names,
        .usage = &recording->cpu_usage,
        .own = &recording->own,
        .applications = &recording->applications,
        .gauges = recording->gauges,
        .code_generation = &recording->walker.code_generation,
    };
    struct recording_options output = options->output;
    output.files.stem = options->cpu_stem;
    if (options->keep_ns != 0) {
        // Of the time of the dump, not of the sample.
        options->cpu.metrics &= ~(1ULL << BEAM_METRIC_RUN_QUEUE_LEN);
    }
    options->cpu.keep_ns = options->keep_ns;
    if (options->cpu.sampler.rate_hz > 0) {
        recording->cpu = cpu_recording_start(&sources, &recording->session, &options->cpu, &output,
                                             &recording->status.cpu_err);
    }
}

static void stop_cpu(struct beam_recording *recording)
{
    if (recording->cpu != NULL) {
        cpu_recording_stop(recording->cpu);
        cpu_recording_close(recording->cpu, "not started");
    }
}

static bool init_stack(struct beam_recording *recording, struct error *err)
{
    const struct beam_recording_options *options = &recording->options;
    const struct process_stack_sources sources = {
        .code = recording->code.code,
        .names = recording->names,
        .applications = &recording->applications,
        .categories = &options->cpu.categories,
        .node = text_of(options->cpu.node),
        .flatten_recursive = options->flatten_recursive,
    };
    return process_stack_init(&recording->stack, &sources, options->walker.max_frames) ||
           error_set(err, ERROR_NO_MEMORY, "recording: no memory for its tables");
}

static bool start_parts(struct beam_recording *recording, const struct vm_memory *memory,
                        struct error *err)
{
    struct beam_recording_options *options = &recording->options;
    if (recording->names == NULL || recording->gauges == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "recording: no memory for its tables");
    }
    if (!code_follower_init(&recording->code, &recording->walker, memory,
                            options->code_map_max_bytes, options->walker.reader, err) ||
        !init_stack(recording, err)) {
        return false;
    }
    (void)session_set(&recording->session, "reader", "%s",
                      memory_reader_name(&recording->code.reader));
    options->output.on_demand = options->keep_ns != 0;
    if (!recording_open(&recording->output, &recording->session, &recording->walker.losses,
                        &options->output, err)) {
        return false;
    }
    // walker_start clears its struct, the loss counters with it: nothing was
    // counted yet.
    if (!walker_start(&recording->walker, &recording->layout, &recording->code.list,
                      &options->walker, err)) {
        return false;
    }
    uint64_t ring_bytes = recording->walker.ring.size;
    dump_init(&recording->dump, &recording->session, &recording->output, &recording->walker.losses,
              options->keep_ns, ring_bytes - ring_bytes / RING_SPARE);
    start_cpu(recording, memory);
    publish(recording);
    if (!start_writer(recording, err)) {
        stop_cpu(recording);
        walker_stop(&recording->walker);
        walker_deinit(&recording->walker);
        return false;
    }
    return true;
}

struct beam_recording *beam_recording_start(
    const struct otp_layout *layout, const struct vm_memory *memory, const struct session *session,
    const struct term_texts *texts, const struct beam_recording_options *options, struct error *err)
{
    struct beam_recording *recording = allocate(layout, session, texts, options);
    if (recording == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "recording: out of memory");
        return NULL;
    }
    if (!start_parts(recording, memory, err)) {
        (void)recording_close(&recording->output, "not started", NULL);
        code_follower_close(&recording->code);
        beam_recording_destroy(recording);
        return NULL;
    }
    return recording;
}

void beam_recording_request_stop(struct beam_recording *recording, const char *end_reason)
{
    pthread_mutex_lock(&recording->lock);
    if (!recording->stopping) {
        recording->stopping = true;
        (void)snprintf(recording->end_reason, sizeof recording->end_reason, "%s", end_reason);
        pthread_cond_broadcast(&recording->changed);
    }
    pthread_mutex_unlock(&recording->lock);
}

bool beam_recording_wait(struct beam_recording *recording, uint64_t deadline_ns)
{
    struct timespec until = timespec_of(deadline_ns);
    pthread_mutex_lock(&recording->lock);
    int status = 0;
    while (!recording->status.done && status != ETIMEDOUT) {
        status = pthread_cond_timedwait(&recording->changed, &recording->lock, &until);
    }
    bool done = recording->status.done;
    pthread_mutex_unlock(&recording->lock);
    return done;
}

bool beam_recording_command(struct beam_recording *recording, struct walker_command command)
{
    if (command.kind == WALKER_EXCLUDE) {
        own_processes_add(&recording->own, command.id);
    }
    return walker_command(&recording->walker, command);
}

void beam_recording_expect(struct beam_recording *recording, uint64_t process_cnt)
{
    walker_expect(&recording->walker, process_cnt);
}

void beam_recording_set_run_queues(struct beam_recording *recording, const int64_t *lengths,
                                   uint32_t cnt)
{
    uint32_t normal_cnt = recording->options.cpu.scheduler_cnt[SCHEDULER_NORMAL];
    int64_t total = 0;
    for (uint32_t i = 0; i < cnt && i < normal_cnt; i++) {
        total += lengths[i];
    }
    vm_gauges_set_run_queues(recording->gauges, lengths, cnt, normal_cnt);
    walker_set_run_queue_len(&recording->walker, total);
}

struct vm_gauges *beam_recording_gauges(struct beam_recording *recording)
{
    return recording->gauges;
}

void beam_recording_set_applications(struct beam_recording *recording,
                                     const struct application *applications, uint32_t cnt)
{
    application_table_set(&recording->applications, applications, cnt);
}

uint32_t beam_recording_chosen(struct beam_recording *recording, uint64_t *ids, uint32_t max_cnt)
{
    return walker_chosen(&recording->walker, ids, max_cnt);
}

void beam_recording_destroy(struct beam_recording *recording)
{
    if (recording == NULL) {
        return;
    }
    if (recording->walker.snapshots != NULL) {
        walker_deinit(&recording->walker);
    }
    cpu_recording_destroy(recording->cpu);
    code_follower_deinit(&recording->code);
    process_names_destroy(recording->names);
    application_table_deinit(&recording->applications);
    vm_gauges_destroy(recording->gauges);
    process_stack_deinit(&recording->stack);
    cpu_usage_deinit(&recording->cpu_usage);
    (void)pthread_cond_destroy(&recording->changed);
    (void)pthread_mutex_destroy(&recording->lock);
    free(recording);
}

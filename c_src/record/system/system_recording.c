// SPDX-License-Identifier: Apache-2.0
#include "record/system/system_recording.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/system/system_source.h"
#include "model/session.h"
#include "record/system/beam_layouts.h"
#include "record/system/beam_names.h"
#include "record/system/event_outputs.h"
#include "record/system/frame_names.h"
#include "record/system/governor.h"
#include "record/system/own_cost.h"
#include "record/system/privileges.h"
#include "record/system/sample_account.h"
#include "record/system/sample_completion.h"
#include "record/system/sample_queue.h"
#include "record/system/sample_stack.h"
#include "record/system/unwind_tables.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    MAX_QUEUE_BYTES = 16 << 20,
    // Little CPU, but soon: processes to be read are gone in milliseconds.
    OWN_NICE = -10,
    MAX_HISTORY_BYTES = 16 << 20,
    MAX_HISTORY_PROCESSES = 4096,
    // As many as there are samples of, also of processes that are long gone.
    MAX_FLIGHT_HISTORY_PROCESSES = 16384,
    // Between two looks at the ring buffer.
    MAX_DUMPED_PER_STEP = 1000,
};
// What the start takes is no pace.
#define GOVERNED_FROM_NS (5ULL * CLOCK_NS_PER_S)
#define GOVERN_EVERY_NS (1ULL * CLOCK_NS_PER_S)
// A CPU can be that much behind the others in handing over what it has.
#define HOLD_BACK_NS (100ULL * CLOCK_NS_PER_MS)

struct system_recording {
    struct system_recording_options options;
    struct session session; // what all outputs have in common
    struct event_output outputs[SYSTEM_EVENT_CNT];
    struct system_source *source;
    struct sample_queue queue;
    struct process_history *history;
    struct beam_layouts *layouts;
    struct beam_names *beams;
    struct frame_names *names;
    struct known_stacks *known;
    struct system_categories *categories;
    struct unwind_tables *tables;
    struct sample_account account;
    struct sample_completion completion;
    struct system_recording_stats stats;
    struct flight flight;
    bool has_backlog; // of a dump
    bool is_busy;     // the kernel's notes of mappings were many
    struct governor governor;
    uint64_t governed_ns;
    bool is_over_limit;
    uint64_t drained_ns;
    struct sample_stack stack; // of the sample that is being written
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
    if (sampler->period_ns != 0) {
        (void)session_set(session, "sample_interval_ns", "%llu",
                          (unsigned long long)sampler->period_ns);
    }
    (void)session_set(session, "scope", "%s", SCOPES[sampler->scope]);
    (void)session_set(session, "sampler", "%s", system_source_level(recording->source));
    if (system_source_lost(recording->source)[0] != '\0') {
        (void)session_set(session, "not_seen", "%s", system_source_lost(recording->source));
    }
    (void)session_set(session, "unwinder", "tables, frame pointers, Erlang stacks");
    (void)session_set(session, "options", "%s", recording->options.options_text);
    privileges_describe(rights, sizeof rights);
    (void)session_set(session, "privileges", "%s", rights);
}

// --- from the ring to the queue -----------------------------------------------

static void on_sample(void *context, struct system_sample *sample)
{
    struct system_recording *recording = context;
    struct stack_hashes hashes = {0};
    struct event_output *output = &recording->outputs[sample->event];
    // What came in meanwhile may be of code that was not there when mappings were read.
    if (sample->time_ns > recording->drained_ns) {
        recording->drained_ns = sample->time_ns;
    }
    sample_completion_complete(&recording->completion, sample, recording->drained_ns);
    frame_names_note(recording->names, sample, recording->drained_ns,
                     flight_is_on(&recording->flight));
    system_categories_note(recording->categories, sample);
    if (recording_numbers_stacks(&output->output)) {
        known_stacks_hash(recording->known, sample, &hashes);
    }
    switch (sample_queue_push(&recording->queue, sample, &hashes)) {
    case SAMPLE_QUEUED:
        break;
    case SAMPLE_LATE:
        sample_account_lose(&recording->account, output, LOSS_LATE);
        break;
    case SAMPLE_REFUSED:
        sample_account_lose(&recording->account, output, LOSS_NO_MEMORY);
        break;
    }
}

// --- from the queue to the file -----------------------------------------------

static void count_degraded(struct system_recording *recording, const struct system_sample *sample)
{
    enum system_stack_end end = sample->stack_end;
    struct loss_counters *losses = &recording->outputs[sample->event].losses;
    recording->stats.stack_ends[end]++;
    recording->stats.frame_cnt += recording->stack.frame_cnt;
    recording->stats.unnamed_frame_cnt += recording->stack.unnamed_cnt;
    if (sample->user_omitted > 0 || end == SYSTEM_STACK_TOO_DEEP) {
        degraded_add(losses, DEGRADED_STACK_TRUNCATED);
    } else if (end == SYSTEM_STACK_32BIT) {
        degraded_add(losses, DEGRADED_STACK_MISSING);
    } else if (!system_stack_is_complete(end)) {
        degraded_add(losses, DEGRADED_STACK_PARTIAL);
    }
    if (recording->stack.unnamed_cnt > 0) {
        degraded_add(losses, DEGRADED_NAME_UNKNOWN);
    }
}

// The stack, then what the sample belongs to, in place: frames are not copied once more.
static const struct frame *join_frames(struct system_recording *recording,
                                       const struct system_sample *sample, uint32_t *cnt_ret)
{
    struct frame *frames = sample_stack_frames(&recording->stack, cnt_ret);
    *cnt_ret += system_categories_frames(recording->categories, sample, frames + *cnt_ret);
    return frames;
}

static void write_sample(struct system_recording *recording, const struct queued_sample *queued)
{
    const struct system_sample *sample = &queued->sample;
    struct event_output *output = &recording->outputs[sample->event];
    uint32_t frame_cnt;
    sample_stack_name(&recording->stack, recording->names, recording->known, output, sample,
                      &queued->hashes, recording->drained_ns);
    count_degraded(recording, sample);
    event_output_tell_files(output, recording->names);
    sample_account_write(&recording->account, output);
    const struct frame *frames = join_frames(recording, sample, &frame_cnt);
    event_output_write(output, sample, recording->stack.number, frames, frame_cnt);
}

static void write_until(struct system_recording *recording, uint64_t until_ns)
{
    const struct queued_sample *queued = NULL;
    while ((queued = sample_queue_pop(&recording->queue, until_ns)) != NULL) {
        const struct queued_sample *next = sample_queue_oldest(&recording->queue);
        if (next != NULL) {
            known_stacks_fetch(recording->known, &next->hashes);
        }
        write_sample(recording, queued);
    }
}

// Samples go through in pieces: what came in a moment ago is still near when it is written.
static void pass_on(struct system_recording *recording, bool has_more)
{
    while (has_more) {
        uint64_t newest_ns = sample_queue_newest_ns(&recording->queue);
        if (newest_ns > HOLD_BACK_NS && !flight_is_on(&recording->flight)) {
            write_until(recording, newest_ns - HOLD_BACK_NS);
        }
        has_more = system_source_drain_on(recording->source);
    }
}

// Where the code of Erlang VMs was found, and so their names.
static void note_vms(struct system_recording *recording)
{
    char text[96];
    struct beam_names_stats stats = beam_names_stats(recording->beams);
    if (stats.told_cnt + stats.searched_cnt + stats.unreadable_cnt > 0) {
        (void)snprintf(text, sizeof text, "layout-file=%u memory=%u unreadable=%u", stats.told_cnt,
                       stats.searched_cnt, stats.unreadable_cnt);
        event_outputs_tell(recording->outputs, "erlang_vms", text);
    }
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
    event_outputs_tell(recording->outputs, "stack_ends", text);
    note_vms(recording);
}

// --- from the queue to a dump -------------------------------------------------

// The oldest samples, as far as the window lets go of them and they are of before
// `until_ns`. True when there are more.
static bool move_window(struct system_recording *recording, uint64_t until_ns, uint32_t max_cnt)
{
    const struct queued_sample *oldest = NULL;
    uint32_t written = 0;
    while ((oldest = sample_queue_oldest(&recording->queue)) != NULL &&
           oldest->sample.time_ns < until_ns && written < max_cnt) {
        struct event_output *output = &recording->outputs[oldest->sample.event];
        enum dump_fate fate = dump_window_fate(&output->dump.window, oldest->sample.time_ns,
                                               recording->queue.bytes, recording->drained_ns);
        if (fate == DUMP_KEEP) {
            return false;
        }
        const struct queued_sample *queued = sample_queue_pop(&recording->queue, until_ns);
        if (fate == DUMP_WRITE) {
            write_sample(recording, queued);
            written++;
        } else {
            event_output_skip(output, &queued->sample);
        }
    }
    return written == max_cnt;
}

static void begin_dump(struct system_recording *recording)
{
    const struct queued_sample *oldest = sample_queue_oldest(&recording->queue);
    flight_begin(&recording->flight, recording->outputs,
                 oldest == NULL ? 0 : oldest->sample.time_ns, recording->drained_ns);
}

static void end_dump(struct system_recording *recording)
{
    note_stack_ends(recording);
    flight_end(&recording->flight, recording->outputs, recording->drained_ns);
}

static void fly(struct system_recording *recording)
{
    uint64_t until_ns = recording->drained_ns - HOLD_BACK_NS;
    flight_note_losses(&recording->flight, recording->outputs);
    if (flight_look(&recording->flight, recording->source, recording->drained_ns)) {
        begin_dump(recording);
    }
    recording->has_backlog = move_window(recording, until_ns, MAX_DUMPED_PER_STEP);
    if (!recording->has_backlog && flight_is_over(&recording->flight, until_ns)) {
        end_dump(recording);
    }
}

bool system_recording_dump(struct system_recording *recording, const char *who)
{
    struct flight *flight = &recording->flight;
    if (!flight_ask(flight, who, flight->options.after_ns, clock_monotonic_ns())) {
        return false;
    }
    begin_dump(recording);
    return true;
}

// The dump that is going on, or the last one if it is wanted.
static void land(struct system_recording *recording)
{
    struct flight *flight = &recording->flight;
    if (flight->options.at_end && flight_ask(flight, "the end", 0, recording->drained_ns)) {
        begin_dump(recording);
    }
    if (flight_is_dumping(flight)) {
        (void)move_window(recording, UINT64_MAX, UINT32_MAX);
        end_dump(recording);
    }
}

// --- the budget ---------------------------------------------------------------

static void tell_governor(struct system_recording *recording)
{
    log_warn("%s", recording->governor.note);
    event_outputs_note(recording->outputs, "governor", recording->governor.note);
}

static void govern(struct system_recording *recording)
{
    struct governor *governor = &recording->governor;
    uint64_t now_ns = recording->drained_ns;
    if (!governor_has_limits(governor) || recording->is_over_limit ||
        now_ns - recording->stats.start_ns < GOVERNED_FROM_NS ||
        now_ns - recording->governed_ns < GOVERN_EVERY_NS) {
        return;
    }
    struct own_cost cost = own_cost_now();
    recording->governed_ns = now_ns;
    switch (governor_look(governor, now_ns, cost.cpu_ns, cost.rss_bytes)) {
    case GOVERNOR_NONE:
        return;
    case GOVERNOR_STRETCH:
        (void)system_source_set_pace(recording->source, governor->stretch);
        break;
    case GOVERNOR_SHRINK:
        frame_names_shrink(recording->names);
        (void)malloc_trim(0);
        break;
    case GOVERNOR_STOP:
        recording->is_over_limit = true;
        return;
    }
    tell_governor(recording);
}

const char *system_recording_limit(const struct system_recording *recording)
{
    return recording->is_over_limit ? recording->governor.note : NULL;
}

// --- lifecycle ----------------------------------------------------------------

static void take_over(void *context)
{
    struct system_recording *recording = context;
    system_source_take_over(recording->source);
    if (recording->completion.mappings != NULL) {
        (void)mapping_events_drain(recording->completion.mappings);
    }
}

static bool can_do_without_bpf(struct system_recording *recording, uint32_t exit_name_cnt,
                               struct error *err)
{
    if (system_source_is_bpf(recording->source)) {
        return true;
    }
    if (recording->options.limits.cpu_percent > 0) {
        log_warn("--max-cpu: perf events cannot be made slower, the rate stays as it is");
        recording->governor.limits.cpu_percent = 0;
    }
    return exit_name_cnt == 0 ||
           error_set(err, ERROR_UNSUPPORTED,
                     "--trigger comm=NAME exits: only BPF sees processes end (--engine bpf)");
}

static bool tell_kernel_name(void *context, uint64_t address, struct text *name)
{
    return system_source_kernel_name(context, address, name);
}

static bool open_source(struct system_recording *recording, struct error *err)
{
    char names[HOST_TRIGGERS_MAX][EXIT_COMM_BYTES];
    struct system_sampler_options options = recording->options.sampler;
    if (!flight_open(&recording->flight, &recording->options.flight, err)) {
        return false;
    }
    options.exit_name_cnt = flight_exit_names(&recording->options.flight, names);
    options.exit_names = (const char(*)[EXIT_COMM_BYTES])names;
    recording->source =
        system_source_create(recording->options.engine, &options, on_sample, recording, err);
    return recording->source != NULL && can_do_without_bpf(recording, options.exit_name_cnt, err);
}

static void begin_samples(struct system_recording *recording)
{
    recording->account.is_flight = flight_is_on(&recording->flight);
    recording->completion = (struct sample_completion){
        .source = recording->source,
        .history = recording->history,
        .tables = recording->tables,
        .beams = recording->beams,
    };
    sample_completion_init(&recording->completion);
}

static bool open_parts(struct system_recording *recording, struct error *err)
{
    const struct system_recording_options *options = &recording->options;
    bool flies = options->flight.keep_ns != 0;
    sample_queue_init(&recording->queue, flies ? options->flight.max_bytes : MAX_QUEUE_BYTES);
    recording->history = process_history_create(
        MAX_HISTORY_BYTES, flies ? MAX_FLIGHT_HISTORY_PROCESSES : MAX_HISTORY_PROCESSES);
    recording->layouts = beam_layouts_create();
    recording->known = known_stacks_create();
    recording->beams = recording->layouts == NULL ? NULL : beam_names_create(recording->layouts);
    recording->names = frame_names_create(&options->names, recording->history, recording->beams,
                                          options->output.sink);
    recording->categories = system_categories_create(&options->categories, recording->layouts);
    if (recording->history == NULL || recording->beams == NULL || recording->names == NULL ||
        recording->known == NULL || recording->categories == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "record: out of memory");
    }
    if (!open_source(recording, err)) {
        return false;
    }
    recording->tables =
        unwind_tables_create(system_source_unwind_store(recording->source), recording->layouts);
    if (recording->tables == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "record: out of memory");
    }
    unwind_tables_set_pause(recording->tables, take_over, recording);
    frame_names_set_kernel(recording->names,
                           &(struct kernel_teller){tell_kernel_name, recording->source});
    if (system_event_has_switches(&options->sampler.events)) {
        // The scheduler is no place for copies of stacks.
        unwind_tables_set_eager(recording->tables);
    }
    begin_samples(recording);
    fill_session(recording);
    return event_outputs_open(recording->outputs, &options->sampler, &recording->session,
                              &options->output, &options->flight, err);
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
    governor_init(&recording->governor, &options->limits);
    int nice_before = getpriority(PRIO_PROCESS, 0);
    (void)setpriority(PRIO_PROCESS, 0, OWN_NICE); // of this thread only; where we may
    bool ok = open_parts(recording, err);
    (void)setpriority(PRIO_PROCESS, 0, nice_before); // a command is started from here
    if (!ok) {
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
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        event_output_destroy(&recording->outputs[i]);
    }
    unwind_tables_destroy(recording->tables);
    system_source_destroy(recording->source);
    sample_queue_deinit(&recording->queue);
    frame_names_destroy(recording->names);
    known_stacks_destroy(recording->known);
    system_categories_destroy(recording->categories);
    beam_names_destroy(recording->beams);
    beam_layouts_destroy(recording->layouts);
    flight_close(&recording->flight);
    process_history_destroy(recording->history);
    free(recording);
}

bool system_recording_start(struct system_recording *recording, struct error *err)
{
    recording->drained_ns = clock_monotonic_ns();
    (void)setpriority(PRIO_PROCESS, 0, OWN_NICE);
    if (!system_source_start(recording->source, err)) {
        return false;
    }
    recording->stats.start_ns = system_source_start_ns(recording->source);
    return true;
}

bool system_recording_trace(struct system_recording *recording, uint32_t pid, struct error *err)
{
    return system_source_trace(recording->source, pid, err);
}

// Waking up costs more than what is to be done then: where rings are nearly empty there is
// time. A new process wakes us anyway.
static int patience_ms(const struct system_recording *recording, int timeout_ms)
{
    bool is_busy = recording->is_busy && timeout_ms > SYSTEM_SOURCE_BUSY_MS;
    if (recording->has_backlog) {
        return 0;
    }
    return system_source_patience_ms(recording->source,
                                     is_busy ? SYSTEM_SOURCE_BUSY_MS : timeout_ms);
}

void system_recording_step(struct system_recording *recording, int timeout_ms)
{
    pass_on(recording, system_source_drain(recording->source, patience_ms(recording, timeout_ms)));
    if (recording->completion.mappings != NULL) {
        recording->is_busy = mapping_events_drain(recording->completion.mappings);
    }
    recording->drained_ns = clock_monotonic_ns();
    sample_account_take(&recording->account, recording->source, recording->outputs);
    if (flight_is_on(&recording->flight)) {
        fly(recording);
    } else {
        write_until(recording, recording->drained_ns - HOLD_BACK_NS);
    }
    recording->stats.elapsed_ns = recording->drained_ns - recording->stats.start_ns;
    govern(recording);
    event_outputs_tick(recording->outputs);
}

bool system_recording_stop(struct system_recording *recording, const char *end_reason,
                           struct error *err)
{
    system_source_stop(recording->source);
    recording->stats.elapsed_ns = clock_monotonic_ns() - recording->stats.start_ns;
    pass_on(recording, system_source_drain(recording->source, 0));
    recording->drained_ns = clock_monotonic_ns();
    system_source_flush_blocked(recording->source);
    sample_account_take(&recording->account, recording->source, recording->outputs);
    if (flight_is_on(&recording->flight)) {
        land(recording);
    } else {
        write_until(recording, UINT64_MAX);
        note_stack_ends(recording);
    }
    return event_outputs_close(recording->outputs, end_reason, err);
}

static void add_losses(struct loss_snapshot *sum, const struct loss_snapshot *losses)
{
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        sum->lost[i] += losses->lost[i];
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        sum->degraded[i] += losses->degraded[i];
    }
    sum->ticks_expected += losses->ticks_expected;
    sum->ticks_taken += losses->ticks_taken;
}

static void add_output(struct system_recording_stats *stats, const struct event_output *output)
{
    const struct file_series *files = &output->output.files;
    struct loss_snapshot losses = loss_counters_read(&output->losses);
    stats->events[output->event].is_open = true;
    stats->events[output->event].sample_cnt = output->output.sample_cnt;
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        stats->events[output->event].lost += losses.lost[i];
    }
    stats->sample_cnt += output->output.sample_cnt;
    stats->written_bytes += files->total_bytes + (files->fd < 0 ? 0 : files->file_bytes);
    stats->file_cnt += files->finished_cnt;
    add_losses(&stats->losses, &losses);
}

struct system_recording_stats system_recording_stats(const struct system_recording *recording)
{
    struct system_recording_stats stats = recording->stats;
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (recording->outputs[i].is_open) {
            add_output(&stats, &recording->outputs[i]);
        }
    }
    stats.ticks = system_source_ticks(recording->source);
    stats.stretch = recording->governor.stretch;
    stats.backoffs = recording->governor.backoffs;
    stats.is_flight = flight_is_on(&recording->flight);
    stats.flight = flight_stats(&recording->flight, recording->outputs);
    stats.unread_processes = process_history_unread(recording->history);
    return stats;
}

void system_recording_path(const struct system_recording *recording, char *path, size_t path_bytes)
{
    event_outputs_path(recording->outputs, path, path_bytes);
}

const struct system_source *system_recording_source(const struct system_recording *recording)
{
    return recording->source;
}

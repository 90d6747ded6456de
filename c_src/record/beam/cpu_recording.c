// SPDX-License-Identifier: Apache-2.0
#include "record/beam/cpu_recording.h"

#include "base/clock.h"
#include "capture/beam/identity_look.h"
#include "capture/beam/process_snapshot.h"
#include "record/beam/cpu_histories.h"
#include "record/beam/cpu_stack.h"
#include "record/beam/handler_times.h"
#include "record/beam/identity_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_MISMATCH_CNT = 5, // of any number of samples
    MAX_MISMATCH_PERCENT = 2,
    KEPT_SPARE = 8, // a part of the room for kept samples is for what comes meanwhile
};

static const char WRONG[] = "registers contradict the VM's data";

// How often registers were as their roles have it.
struct register_check {
    uint64_t checked_cnt;
    uint64_t mismatch_cnt;
};

struct cpu_recording {
    struct cpu_recording_sources sources;
    struct cpu_recording_options options;
    struct cpu_sampler sampler;
    struct bif_table bifs;
    struct native_code *native;
    struct aux_work aux;
    bool aux_looked_for;
    struct session session;
    struct metric_choice metrics;
    struct identity_cache *identities;
    struct loss_counters losses;
    struct recording output;
    struct spsc_ring kept; // of an armed capture; both ends are ours
    struct dump dump;
    uint64_t drained_ns; // everything older is out of the rings of the schedulers
    struct process_snapshot snapshot;
    struct process_snapshot looks[2]; // at who is looked at again
    struct cpu_stack stack;
    struct cpu_histories histories;
    struct handler_times handler_times;
    uint64_t lost_seen;
    struct register_check in_code;
    struct register_check in_calls;
    struct cpu_recording_status status;
};

// ---- one sample ---------------------------------------------------------------------

static void add_process_facts(struct cpu_recording *recording, const struct cpu_sample *sample,
                              const struct process_snapshot *snapshot,
                              struct process_category_facts *facts)
{
    const struct dictionary_identity *identity = &sample->identity;
    bool has_initial = identity->initial[0] != 0;
    memcpy(facts->initial, has_initial ? identity->initial : snapshot->initial,
           sizeof facts->initial);
    facts->memory_bytes = snapshot->values[BEAM_METRIC_MEMORY];
    facts->mailbox_len = snapshot->values[BEAM_METRIC_MESSAGE_QUEUE_LEN];
    facts->state_flags = snapshot->state_flags;
    facts->label = identity->label;
    facts->label_cnt = identity->label_cnt;
    facts->ancestors = identity->ancestors;
    facts->parent = snapshot->parent;
    facts->application =
        application_table_find(recording->sources.applications, snapshot->group_leader);
}

static void add_categories(struct cpu_recording *recording, const struct cpu_sample *sample,
                           const struct process_snapshot *snapshot)
{
    static const char *const SCHEDULERS[] = {"scheduler", "dirty_cpu", "dirty_io"};
    struct cpu_stack *stack = &recording->stack;
    struct process_category_facts facts = {
        .name = sample->name,
        .status = text_of(scheduler_state_name(stack->state)),
        .is_process = snapshot != NULL,
        .scheduler = SCHEDULERS[sample->kind],
        .scheduler_no = sample->scheduler_no,
        .node = text_of(recording->options.node),
    };
    if (snapshot != NULL) {
        add_process_facts(recording, sample, snapshot, &facts);
    }
    if (stack->frame_cnt + PROCESS_CATEGORY_CNT <= CPU_STACK_MAX_FRAMES) {
        stack->frame_cnt += process_categories_frames(
            &recording->options.categories, &facts, recording->sources.names,
            &stack->frames[stack->frame_cnt], &stack->has_unknown);
    }
}

// What the profiler costs is not the node's work: apart from it, at the root.
static void mark_own(struct cpu_recording *recording, const struct process_snapshot *snapshot)
{
    struct cpu_stack *stack = &recording->stack;
    if (snapshot != NULL && own_processes_has(recording->sources.own, snapshot->id) &&
        stack->frame_cnt < CPU_STACK_MAX_FRAMES) {
        stack->frames[stack->frame_cnt++] =
            (struct frame){.name = TEXT("[flame_prof]"), .file = TEXT("beam")};
    }
}

static void note_quality(struct cpu_recording *recording, const struct cpu_sample *sample)
{
    const struct cpu_stack *stack = &recording->stack;
    if (!stack->is_complete) {
        recording->status.incomplete_cnt++;
        degraded_add(&recording->losses,
                     sample->leaf_words > 0 ? DEGRADED_STACK_PARTIAL : DEGRADED_STACK_MISSING);
    }
    if (stack->is_truncated) {
        degraded_add(&recording->losses, DEGRADED_STACK_TRUNCATED);
    }
    if (stack->has_unknown) {
        degraded_add(&recording->losses, DEGRADED_NAME_UNKNOWN);
    }
}

// Contradictions mean that we read wrong data, or call the wrong thread a scheduler.
static void note_verdict(struct cpu_recording *recording, struct register_check *check,
                         enum register_verdict verdict)
{
    check->checked_cnt += verdict != REGISTERS_SAY_NOTHING;
    check->mismatch_cnt += verdict == REGISTERS_CONTRADICT;
    recording->status.mismatch_cnt += verdict == REGISTERS_CONTRADICT;
}

static void check_caller(struct cpu_recording *recording, const struct cpu_sample *sample)
{
    if (recording->stack.has_caller) {
        note_verdict(recording, &recording->in_calls,
                     register_roles_check_call(&recording->options.sampler.roles,
                                               recording->sources.layout, sample,
                                               recording->stack.caller));
    }
}

// Not on the scheduler that starts us: it takes a while.
static void find_aux_work(struct cpu_recording *recording)
{
    if (!recording->aux_looked_for) {
        recording->aux_looked_for = true;
        aux_work_find(&recording->aux, recording->native);
    }
}

static void write_sample(struct cpu_recording *recording, const struct cpu_sample *sample)
{
    const struct cpu_stack_sources sources = {
        .layout = recording->sources.layout,
        .roles = &recording->options.sampler.roles,
        .code = recording->sources.code,
        .native = recording->native,
        .bifs = &recording->bifs,
        .aux = &recording->aux,
        .names = recording->sources.names,
        .flatten_recursive = recording->options.flatten_recursive,
        .max_frames = recording->options.max_frames,
    };
    struct metric_value metrics[BEAM_METRIC_ALL_CNT] = {{0}};
    struct metric_value chosen[METRIC_MAX_CNT];
    struct process_snapshot *snapshot = NULL;
    find_aux_work(recording);
    cpu_stack_build(&sources, sample, &recording->stack);
    check_caller(recording, sample);
    if (sample->process_words > 0) {
        snapshot = &recording->snapshot;
        process_snapshot_from_image(recording->sources.layout, sample->words, sample->process_words,
                                    snapshot);
    }
    add_categories(recording, sample, snapshot);
    mark_own(recording, snapshot);
    cpu_histories_take(&recording->histories, recording->sources.gauges, sample, snapshot, metrics);
    metric_choice_take(&recording->metrics, metrics, chosen);
    note_quality(recording, sample);
    const struct sample written = {
        .time_ns = sample->time_ns,
        .period_ns = sample->period_ns,
        .cpu = sample->scheduler_no,
        .pid = (uint32_t)getpid(),
        .tid = snapshot != NULL ? process_names_number(recording->sources.names, snapshot->id) : 0,
        .category = text_of(scheduler_state_name(recording->stack.state)),
        .frames = recording->stack.frames,
        .frame_cnt = recording->stack.frame_cnt,
        .metrics = chosen,
    };
    recording_write(&recording->output, &written);
}

// ---- arrival --------------------------------------------------------------------------

// What every sample tells, written or not.
static void note_arrival(struct cpu_recording *recording, const struct cpu_sample *sample)
{
    note_verdict(recording, &recording->in_code,
                 register_roles_check_code(&recording->options.sampler.roles,
                                           recording->sources.layout, sample));
    recording->status.cpu_ns += sample->period_ns;
    if (recording->sampler.method == CPU_METHOD_SIGNAL) {
        handler_times_add(&recording->handler_times, sample->handler_ticks);
    }
    if (sample->process_words > 0) {
        uint64_t id = sample->words[recording->sources.layout->offset[LAYOUT_ID] / 8];
        cpu_usage_add(recording->sources.usage, id, sample->period_ns);
    }
}

// The oldest give way.
static void keep(struct cpu_recording *recording, const struct cpu_sample *sample, uint32_t len)
{
    void *place;
    while ((place = spsc_ring_reserve(&recording->kept, len)) == NULL) {
        uint32_t oldest_len;
        if (spsc_ring_peek(&recording->kept, &oldest_len) == NULL) {
            return;
        }
        spsc_ring_pop(&recording->kept);
        recording->dump.window.early_cnt++;
    }
    memcpy(place, sample, len);
    spsc_ring_commit(&recording->kept, len);
}

// ---- draining --------------------------------------------------------------------------

static struct cpu_slot *oldest(const struct cpu_recording *recording, uint64_t before_ns,
                               const struct cpu_sample **sample_ret, uint32_t *len_ret)
{
    struct cpu_slot *found = NULL;
    uint64_t time_ns = before_ns;
    for (uint32_t i = 0; i < recording->sampler.slot_cnt; i++) {
        uint32_t len;
        const struct cpu_sample *sample = spsc_ring_peek(&recording->sampler.slots[i].ring, &len);
        if (sample != NULL && sample->time_ns < time_ns) {
            found = &recording->sampler.slots[i];
            time_ns = sample->time_ns;
            *sample_ret = sample;
            *len_ret = len;
        }
    }
    return found;
}

uint32_t cpu_recording_newest_generation(const struct cpu_recording *recording)
{
    return atomic_load_explicit(recording->sources.code_generation, memory_order_acquire);
}

static void count_losses(struct cpu_recording *recording)
{
    uint64_t lost = cpu_sampler_outcome_cnt(&recording->sampler, CPU_OUTCOME_RING_FULL);
    uint64_t taken = cpu_sampler_outcome_cnt(&recording->sampler, CPU_OUTCOME_TAKEN);
    loss_add(&recording->losses, LOSS_RING_FULL, lost - recording->lost_seen);
    recording->lost_seen = lost;
    atomic_store_explicit(&recording->losses.ticks_expected, taken + lost, memory_order_relaxed);
    atomic_store_explicit(&recording->losses.ticks_taken, taken, memory_order_relaxed);
}

static bool has_too_many(const struct register_check *check)
{
    return check->mismatch_cnt >
           MAX_MISMATCH_CNT + check->checked_cnt * (uint64_t)MAX_MISMATCH_PERCENT / 100;
}

// Too many registers contradict what we read: not to be trusted any further.
static bool is_wrong(const struct cpu_recording *recording)
{
    return has_too_many(&recording->in_code) || has_too_many(&recording->in_calls);
}

static enum identity_read look_from_outside(struct cpu_recording *recording, uint64_t id,
                                            struct dictionary_identity *identity)
{
    struct memory_reader *reader = &recording->sampler.reader;
    const struct otp_layout *layout = recording->sources.layout;
    struct process_snapshot *now = &recording->looks[0];
    if (!recording->sampler.may_read) {
        return IDENTITY_NOT_READ;
    }
    now->id = id;
    process_snapshot_batch(reader, layout, &now, 1);
    enum identity_look look = identity_look_at(reader, layout, now, &recording->looks[1], identity);
    return look == IDENTITY_LOOK_STILL     ? IDENTITY_READ
           : look == IDENTITY_LOOK_RUNNING ? IDENTITY_READ_IN_PART
                                           : IDENTITY_NOT_READ;
}

// The handler reads a dictionary once. Who runs all the time is left to it.
static void look_again(struct cpu_recording *recording, uint64_t id, uint64_t time_ns,
                       struct dictionary_identity *identity)
{
    enum identity_read read = look_from_outside(recording, id, identity);
    identity_cache_complete(recording->identities, id, read, time_ns, identity);
    if (read != IDENTITY_READ) {
        seen_processes_forget(recording->sampler.seen, id);
    }
}

// The sample is ours until it is taken out of its ring.
static void complete_identity(struct cpu_recording *recording, const struct cpu_sample *sample)
{
    struct cpu_sample *ours = (struct cpu_sample *)(uintptr_t)sample;
    if (sample->process_words == 0) {
        return;
    }
    uint64_t id = sample->words[recording->sources.layout->offset[LAYOUT_ID] / 8];
    identity_cache_complete(recording->identities, id, (enum identity_read)sample->identity_read,
                            sample->time_ns, &ours->identity);
    if (identity_cache_is_old(recording->identities, id, sample->time_ns)) {
        look_again(recording, id, sample->time_ns, &ours->identity);
    }
}

static bool drain_rings(struct cpu_recording *recording, uint64_t before_ns, uint64_t until_ns)
{
    const struct cpu_sample *sample;
    struct cpu_slot *slot;
    uint32_t len;
    while ((slot = oldest(recording, before_ns, &sample, &len)) != NULL) {
        if (clock_monotonic_ns() >= until_ns) {
            return false;
        }
        complete_identity(recording, sample);
        note_arrival(recording, sample);
        if (recording->options.keep_ns != 0) {
            keep(recording, sample, len);
        } else {
            write_sample(recording, sample);
        }
        spsc_ring_pop(&slot->ring);
    }
    recording->drained_ns = before_ns;
    return true;
}

static bool drain_kept(struct cpu_recording *recording, uint64_t until_ns)
{
    const struct cpu_sample *sample;
    uint32_t len;
    while ((sample = spsc_ring_peek(&recording->kept, &len)) != NULL) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= until_ns) {
            return false;
        }
        enum dump_fate fate = dump_window_fate(&recording->dump.window, sample->time_ns,
                                               spsc_ring_used_bytes(&recording->kept), now_ns);
        if (fate == DUMP_KEEP) {
            return true;
        }
        if (fate == DUMP_WRITE) {
            write_sample(recording, sample);
        }
        spsc_ring_pop(&recording->kept);
    }
    return true;
}

bool cpu_recording_drain(struct cpu_recording *recording, uint64_t before_ns, uint64_t until_ns)
{
    cpu_sampler_check(&recording->sampler);
    if (!drain_rings(recording, before_ns, until_ns) ||
        (recording->options.keep_ns != 0 && !drain_kept(recording, until_ns))) {
        return false;
    }
    count_losses(recording);
    if (is_wrong(recording)) {
        cpu_sampler_stop(&recording->sampler);
    }
    return true;
}

// ---- dumps of an armed capture -----------------------------------------------------------

static uint64_t oldest_kept_ns(struct cpu_recording *recording)
{
    uint32_t len;
    const struct cpu_sample *sample =
        recording->options.keep_ns == 0 ? NULL : spsc_ring_peek(&recording->kept, &len);
    return sample == NULL ? 0 : sample->time_ns;
}

void cpu_recording_begin_dump(struct cpu_recording *recording, const struct dump_request *request)
{
    struct error err = {0};
    bool ok = dump_begin(&recording->dump, request, oldest_kept_ns(recording), &err);
    recording->status.dump_result = ok ? DUMP_NONE : DUMP_FAILED;
}

bool cpu_recording_dump_is_over(const struct cpu_recording *recording)
{
    const struct dump_window *window = &recording->dump.window;
    return !window->open || recording->drained_ns > window->until_ns;
}

void cpu_recording_end_dump(struct cpu_recording *recording)
{
    struct error err = {0};
    if (recording->dump.window.open) {
        recording->status.dump_result = dump_end(&recording->dump, &err);
    }
    if (recording->status.dump_result == DUMP_FAILED && err.code != ERROR_NONE) {
        recording->output.last_error = err;
    }
}

// ---- status ------------------------------------------------------------------------------

void cpu_recording_tick(struct cpu_recording *recording)
{
    struct cpu_recording_status *status = &recording->status;
    const struct recording *output = &recording->output;
    recording_tick(&recording->output);
    if (recording->options.keep_ns != 0) {
        uint64_t oldest_ns = oldest_kept_ns(recording);
        dump_note_losses(&recording->dump);
        status->kept_ns = oldest_ns == 0 ? 0 : clock_monotonic_ns() - oldest_ns;
        status->kept_bytes = spsc_ring_used_bytes(&recording->kept);
        status->early_cnt = recording->dump.window.early_cnt;
    }
    status->sample_cnt = output->sample_cnt;
    status->lost_cnt = recording->lost_seen;
    status->write_failed_cnt =
        atomic_load_explicit(&recording->losses.lost[LOSS_WRITE_FAILED], memory_order_relaxed);
    status->last_error = output->last_error;
    if (is_wrong(recording)) {
        (void)error_set(&status->last_error, ERROR_LAYOUT, "CPU sampling has ended: %s", WRONG);
    }
    status->handler_median_ns = handler_times_median_ns(&recording->handler_times);
    status->handler_total_ns = recording->handler_times.total_ns;
    status->thread_ns = cpu_sampler_thread_ns(&recording->sampler);
    status->finished_file_cnt = output->files.finished_cnt;
    (void)snprintf(status->last_file, sizeof status->last_file, "%s", output->files.finished_name);
    (void)snprintf(status->current_file, sizeof status->current_file, "%s",
                   output->state == RECORDING_WRITING ? output->files.name : "");
    uint64_t ring_bytes = recording->kept.size;
    for (uint32_t i = 0; i < recording->sampler.slot_cnt; i++) {
        ring_bytes += recording->sampler.slots[i].ring.size;
    }
    status->memory_bytes = ring_bytes + sizeof *recording + recording_memory_bytes(output);
}

// ---- life -----------------------------------------------------------------------------------

static bool is_code(const void *context, uint64_t address)
{
    return code_map_covers(context, address);
}

static bool is_function(const void *context, uint64_t address)
{
    return native_code_is_function((struct native_code *)(uintptr_t)context, address);
}

// Without its table a BIF has its C function's name.
static void read_bifs(struct cpu_recording *recording, struct memory_reader *reader)
{
    struct error why = {0};
    const struct bif_search search = {
        .memory = recording->sources.memory,
        .reader = reader,
        .layout = &BIF_LAYOUT,
        .wanted = recording->options.bifs,
        .wanted_cnt = recording->options.bif_cnt,
        .is_function = is_function,
        .is_function_context = recording->native,
    };
    if (!bif_table_read(&recording->bifs, &search, &why)) {
        (void)session_set(&recording->session, "bif_names", "none, %s", why.detail);
    }
}

static bool start_sampler(struct cpu_recording *recording, struct error *err)
{
    const struct cpu_recording_options *options = &recording->options;
    const struct cpu_recording_sources *sources = &recording->sources;
    struct scheduler_table table;
    struct memory_reader reader;
    if (!memory_reader_open(&reader, options->sampler.reader, err)) {
        return false;
    }
    struct scheduler_search search = {
        .memory = sources->memory,
        .reader = &reader,
        .layout = &SCHEDULER_LAYOUT,
        .process = options->caller,
        .is_code = is_code,
        .is_code_context = sources->code,
    };
    memcpy(search.wanted, options->scheduler_cnt, sizeof search.wanted);
    bool found = scheduler_table_find(&table, &search, err);
    if (found) {
        read_bifs(recording, &reader);
    }
    memory_reader_close(&reader);
    return found && cpu_sampler_start(&recording->sampler, sources->layout, &table,
                                      sources->code_generation, &options->sampler, err);
}

static void set_method(struct cpu_recording *recording)
{
    const struct cpu_sampler *sampler = &recording->sampler;
    bool is_foreign = sampler->method == CPU_METHOD_FOREIGN;
    (void)session_set(&recording->session, "cpu_method", "%s",
                      is_foreign ? "foreign, approximate" : "signal");
    (void)session_set(&recording->session, "cpu_clock", "%s",
                      is_foreign                               ? "watched by a thread"
                      : sampler->timer_kind == CPU_TIMER_POSIX ? "thread CPU timer"
                                                               : "perf event");
    if (sampler->refused.code != ERROR_NONE) {
        (void)session_set(&recording->session, "cpu_method_reason", "%s", sampler->refused.detail);
    }
    recording->status.method = sampler->method;
    recording->status.refused = sampler->refused;
}

static bool start_parts(struct cpu_recording *recording, const struct recording_options *output,
                        struct error *err)
{
    recording->native = native_code_create();
    recording->identities = identity_cache_create();
    if (recording->native == NULL || recording->identities == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "CPU sampling: out of memory");
    }
    if (!start_sampler(recording, err)) {
        return false;
    }
    (void)session_set(&recording->session, "cpu_rate_hz", "%u", recording->options.sampler.rate_hz);
    set_method(recording);
    (void)session_set(&recording->session, "schedulers", "%u", recording->sampler.slot_cnt);
    recording->status.scheduler_cnt = recording->sampler.slot_cnt;
    uint64_t keep_ns = recording->options.keep_ns;
    if (keep_ns != 0 && !spsc_ring_init(&recording->kept, recording->options.keep_bytes)) {
        return error_set(err, ERROR_NO_MEMORY, "CPU sampling: no memory for kept samples");
    }
    dump_init(&recording->dump, &recording->session, &recording->output, &recording->losses,
              keep_ns, recording->kept.size - recording->kept.size / KEPT_SPARE);
    return recording_open(&recording->output, &recording->session, &recording->losses, output, err);
}

static void set_session(struct cpu_recording *recording, const struct session *session)
{
    session_init_beam_cpu(&recording->session);
    metric_choice_make(&recording->metrics, recording->options.metrics, METRIC_OF_CPU_SAMPLER);
    session_choose_metrics(&recording->session, &recording->metrics);
    recording->session.anchor = session->anchor;
    memcpy(recording->session.fields, session->fields, sizeof session->fields);
    recording->session.field_cnt = session->field_cnt;
}

struct cpu_recording *cpu_recording_start(const struct cpu_recording_sources *sources,
                                          const struct session *session,
                                          const struct cpu_recording_options *options,
                                          const struct recording_options *output, struct error *err)
{
    struct cpu_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "CPU sampling: out of memory");
        return NULL;
    }
    recording->sources = *sources;
    recording->options = *options;
    handler_times_begin(&recording->handler_times);
    set_session(recording, session);
    if (!start_parts(recording, output, err)) {
        cpu_recording_stop(recording);
        cpu_recording_close(recording, "not started");
        cpu_recording_destroy(recording);
        return NULL;
    }
    recording->sources.memory = NULL;
    recording->options.bifs = NULL;
    return recording;
}

void cpu_recording_stop(struct cpu_recording *recording)
{
    cpu_sampler_stop(&recording->sampler);
}

void cpu_recording_close(struct cpu_recording *recording, const char *end_reason)
{
    (void)recording_close(&recording->output, is_wrong(recording) ? WRONG : end_reason, NULL);
    cpu_recording_tick(recording);
}

void cpu_recording_destroy(struct cpu_recording *recording)
{
    if (recording == NULL) {
        return;
    }
    cpu_sampler_deinit(&recording->sampler);
    spsc_ring_deinit(&recording->kept);
    bif_table_deinit(&recording->bifs);
    native_code_destroy(recording->native);
    identity_cache_destroy(recording->identities);
    free(recording);
}

void cpu_recording_status(const struct cpu_recording *recording,
                          struct cpu_recording_status *status_ret)
{
    *status_ret = recording->status;
}

// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/walker.h"

#include "base/clock.h"
#include "base/quiet_thread.h"
#include "capture/beam/identity_look.h"
#include "capture/beam/process_snapshot.h"
#include "capture/beam/stack_words.h"

#include <stdlib.h>
#include <string.h>

enum {
    PPM = 1000000,
    AUTO_PROCESS_INTERVAL_NS = 99 * CLOCK_NS_PER_MS,
    AUTO_SAMPLES_PER_S = 1010, // times about 900 bytes: 1 MB/s of text
    SNAPSHOT_TRIES = 3,
    FIRST_SELECT_NS = 500 * CLOCK_NS_PER_MS,
    SELECT_BUDGET_NS = 1500000, // per tick
    // A selection of which a quarter has ended is made anew before its time, but not
    // so often that it would take more than a hundredth of a CPU.
    ENDED_SHARE = 4,
    SELECT_DUTY = 100,
    IDENTITY_INTERVAL_NS = 2 * CLOCK_NS_PER_S, // a label may change, the rest seldom does
    MAX_SLEEP_NS = 50 * CLOCK_NS_PER_MS,
};

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t walker_effective_process_interval_ns(const struct walker_options *options,
                                              uint64_t target_cnt)
{
    uint64_t wanted = options->process_interval_ns;
    if (wanted == 0) {
        uint64_t by_rate = target_cnt * CLOCK_NS_PER_S / AUTO_SAMPLES_PER_S;
        wanted = max_u64(AUTO_PROCESS_INTERVAL_NS, by_rate);
    }
    // No tick is empty: a few processes are seen more often than asked.
    uint64_t one_per_tick = target_cnt * options->sample_interval_ns;
    return wanted < one_per_tick ? wanted : max_u64(one_per_tick, 1);
}

struct walker_pace walker_pace_of(const struct walker_options *options, uint64_t target_cnt,
                                  uint32_t stretch_percent)
{
    uint64_t cnt = max_u64(target_cnt, 1);
    uint64_t interval_ns = walker_effective_process_interval_ns(options, cnt);
    interval_ns = max_u64(interval_ns * stretch_percent / WALKER_STRETCH_NONE, 1);
    return (struct walker_pace){
        .sample_interval_ns = max_u64(options->sample_interval_ns, interval_ns / cnt),
        .process_interval_ns = interval_ns,
    };
}

void walker_stretch(struct walker *walker, uint32_t percent)
{
    uint32_t bounded = percent < WALKER_STRETCH_NONE  ? WALKER_STRETCH_NONE
                       : percent > WALKER_STRETCH_MAX ? WALKER_STRETCH_MAX
                                                      : percent;
    atomic_store_explicit(&walker->stretch_percent, bounded, memory_order_relaxed);
}

// How many processes to read at this tick.
static uint32_t share_of_tick(struct walker *walker)
{
    uint64_t cnt = walker->targets.cnt;
    walker->pace =
        walker_pace_of(&walker->options, cnt,
                       atomic_load_explicit(&walker->stretch_percent, memory_order_relaxed));
    if (cnt == 0) {
        walker->credit_ppm = 0;
        return 0;
    }
    uint64_t interval_ns = walker->pace.process_interval_ns;
    uint64_t sample_ns = walker->pace.sample_interval_ns;
    walker->credit_ppm += cnt * sample_ns / interval_ns * PPM;
    walker->credit_ppm += cnt * sample_ns % interval_ns * PPM / interval_ns;
    uint64_t due = max_u64(walker->credit_ppm / PPM, 1);
    walker->credit_ppm -= due * PPM < walker->credit_ppm ? due * PPM : walker->credit_ppm;
    return (uint32_t)(due < cnt ? due : cnt);
}

// ---- one sample ---------------------------------------------------------------

static void read_identity(struct walker *walker, struct target *target,
                          const struct process_snapshot *snapshot, uint64_t now_ns)
{
    enum identity_look look =
        identity_look_at(&walker->reader, walker->layout, snapshot,
                         walker->snapshots + SNAPSHOT_MAX_BATCH, &target->identity);
    if (look != IDENTITY_LOOK_FAILED) {
        target->identity_due_ns = look == IDENTITY_LOOK_STILL ? now_ns + IDENTITY_INTERVAL_NS : 0;
    }
}

// Values that could not be read this time are those of last time.
static void fill_metrics(struct process_sample *sample, struct target *target,
                         const struct process_snapshot *snapshot)
{
    bool sizes_known = snapshot->sizes_known;
    for (int i = 0; i < BEAM_METRIC_CNT; i++) {
        bool known =
            sizes_known || i == BEAM_METRIC_REDUCTIONS || i == BEAM_METRIC_MESSAGE_QUEUE_LEN;
        int64_t value = known ? snapshot->values[i] : target->values[i];
        sample->metrics[i].value = value;
        // Unsigned: what is garbage wraps.
        int64_t delta = (int64_t)((uint64_t)value - (uint64_t)target->values[i]);
        sample->metrics[i].delta = target->has_values ? delta : 0;
        target->values[i] = value;
    }
    // Without sizes, the first values of all would make the next delta a jump.
    target->has_values = target->has_values || sizes_known;
}

static uint32_t append_frames(struct process_sample *sample, const uint64_t *words, uint32_t cnt,
                              uint32_t max_frames)
{
    uint32_t added = 0;
    for (uint32_t i = 0; i < cnt && added < max_frames; i++) {
        if (stack_word_is_return(words[i])) {
            sample->frames[sample->frame_cnt++] = words[i];
            added++;
        }
    }
    return added;
}

// The bottom `max_frames` of what is left.
static void append_root(struct process_sample *sample, const uint64_t *words, uint32_t cnt,
                        uint32_t max_frames)
{
    uint32_t skip = stack_words_frames(words, cnt);
    skip = skip > max_frames ? skip - max_frames : 0;
    uint32_t at = 0;
    while (skip > 0) {
        skip -= stack_word_is_return(words[at++]);
    }
    (void)append_frames(sample, words + at, cnt - at, max_frames);
}

static void fill_stack(struct walker *walker, struct process_sample *sample,
                       const struct process_snapshot *snapshot)
{
    const uint64_t *stack = snapshot->stack;
    uint32_t word_cnt = snapshot->leaf_cnt + snapshot->root_cnt;
    uint32_t total = stack_words_frames(stack, word_cnt);
    sample->frames[sample->frame_cnt++] = snapshot->pc;
    uint32_t max_frames = walker->options.max_frames - 1;
    if (snapshot->omitted_words == 0 && total <= max_frames) {
        (void)append_frames(sample, stack, word_cnt, max_frames);
        return;
    }
    uint32_t root_frames = max_frames / 4;
    uint32_t leaf = append_frames(sample, stack, snapshot->leaf_cnt, max_frames - root_frames);
    sample->gap_at = sample->frame_cnt;
    uint32_t missing = total > leaf + root_frames ? total - leaf - root_frames : 0;
    sample->gap_frames = snapshot->omitted_words == 0 ? missing : GAP_FRAMES_UNKNOWN;
    const uint64_t *root = snapshot->root_cnt > 0 ? stack + snapshot->leaf_cnt : stack;
    uint32_t root_cnt = snapshot->root_cnt > 0 ? snapshot->root_cnt : snapshot->leaf_cnt;
    append_root(sample, root, root_cnt, root_frames);
    degraded_add(&walker->losses, DEGRADED_STACK_TRUNCATED);
}

static void fill_frames(struct walker *walker, struct process_sample *sample,
                        const struct process_snapshot *snapshot)
{
    sample->frame_cnt = 0;
    sample->gap_frames = 0;
    sample->gap_at = 0;
    if (snapshot->end == SNAPSHOT_STATUS_ONLY) {
        sample->stack = STACK_MISSING;
        degraded_add(&walker->losses, DEGRADED_STACK_MISSING);
        return;
    }
    sample->stack = snapshot->end == SNAPSHOT_PARTIAL ? STACK_PARTIAL : STACK_WHOLE;
    if (sample->stack == STACK_PARTIAL) {
        degraded_add(&walker->losses, DEGRADED_STACK_PARTIAL);
    }
    fill_stack(walker, sample, snapshot);
}

static int64_t depth_of(const struct process_snapshot *snapshot)
{
    return snapshot->end == SNAPSHOT_STATUS_ONLY
               ? -1
               : stack_words_depth(snapshot->stack, snapshot->leaf_cnt + snapshot->root_cnt,
                                   snapshot->omitted_words);
}

static void fill_identity(struct process_sample *sample, const struct target *target,
                          const struct process_snapshot *snapshot)
{
    const struct dictionary_identity *identity = &target->identity;
    bool has_initial = identity->initial[0] != 0;
    memcpy(sample->initial, has_initial ? identity->initial : snapshot->initial,
           sizeof sample->initial);
    memcpy(sample->ancestors, identity->ancestors, sizeof sample->ancestors);
    sample->label_cnt = identity->label_cnt;
    memcpy(sample->frames + sample->frame_cnt, identity->label,
           identity->label_cnt * sizeof *identity->label);
}

static void emit(struct walker *walker, struct target *target,
                 const struct process_snapshot *snapshot, uint64_t now_ns)
{
    uint32_t max_len =
        (uint32_t)(sizeof(struct process_sample) +
                   (walker->options.max_frames + PROCESS_LABEL_WORDS) * sizeof(uint64_t));
    struct process_sample *sample = spsc_ring_reserve(&walker->ring, max_len);
    if (sample == NULL) {
        loss_add(&walker->losses, LOSS_RING_FULL, 1);
        return;
    }
    *sample = (struct process_sample){
        .time_ns = now_ns,
        .period_ns = now_ns - target->last_ns,
        .id = target->id,
        .name = target->name,
        .code_generation = atomic_load_explicit(&walker->code_generation, memory_order_relaxed),
        .status = (uint16_t)snapshot->status,
        .state_flags = snapshot->state_flags,
        .parent = snapshot->parent,
        .group_leader = snapshot->group_leader,
    };
    fill_metrics(sample, target, snapshot);
    process_progress_look(&target->progress, snapshot, depth_of(snapshot),
                          atomic_load_explicit(&walker->run_queue_len, memory_order_relaxed),
                          now_ns, sample->metrics);
    fill_frames(walker, sample, snapshot);
    fill_identity(sample, target, snapshot);
    target->last_ns = now_ns;
    spsc_ring_commit(&walker->ring, process_sample_bytes(sample));
}

static bool is_lost(struct walker *walker, enum snapshot_end end)
{
    switch (end) {
    case SNAPSHOT_CHANGED:
        loss_add(&walker->losses, LOSS_CHANGED, 1);
        return true;
    case SNAPSHOT_UNREADABLE:
        loss_add(&walker->losses, LOSS_UNREADABLE, 1);
        return true;
    case SNAPSHOT_IMPLAUSIBLE:
        loss_add(&walker->losses, LOSS_IMPLAUSIBLE, 1);
        return true;
    case SNAPSHOT_GONE:
        return true;
    default:
        return false;
    }
}

static void take(struct walker *walker, const struct process_snapshot *snapshot, uint64_t now_ns)
{
    struct target *target = target_set_find(&walker->targets, snapshot->id);
    if (snapshot->end == SNAPSHOT_GONE) {
        walker->ended_cnt += target != NULL && target->chosen;
        target_set_leave(&walker->targets, snapshot->id);
        return;
    }
    if (target == NULL || is_lost(walker, snapshot->end)) {
        return;
    }
    if (target->status_filter != TARGET_ANY_STATUS &&
        target->status_filter != (int)snapshot->status) {
        // Time in other statuses is not this sample's.
        target->last_ns = now_ns;
        return;
    }
    if (snapshot->end != SNAPSHOT_STATUS_ONLY) {
        target->name = snapshot->name;
    }
    if (now_ns >= target->identity_due_ns) {
        read_identity(walker, target, snapshot, now_ns);
    }
    emit(walker, target, snapshot, now_ns);
}

static bool worth_retrying(enum snapshot_end end)
{
    return end == SNAPSHOT_CHANGED || end == SNAPSHOT_UNREADABLE || end == SNAPSHOT_IMPLAUSIBLE;
}

static void sample_batch(struct walker *walker, struct process_snapshot **batch, size_t cnt)
{
    process_snapshot_batch(&walker->reader, walker->layout, batch, cnt);
    for (size_t i = 0; i < cnt; i++) {
        for (int tries = 1; tries < SNAPSHOT_TRIES && worth_retrying(batch[i]->end); tries++) {
            process_snapshot_batch(&walker->reader, walker->layout, &batch[i], 1);
        }
        take(walker, batch[i], clock_monotonic_ns());
    }
}

static void sample_processes(struct walker *walker)
{
    uint32_t due = share_of_tick(walker);
    while (due > 0) {
        struct process_snapshot *batch[SNAPSHOT_MAX_BATCH];
        size_t cnt = 0;
        struct target *target = NULL;
        while (cnt < SNAPSHOT_MAX_BATCH && cnt < due &&
               (target = target_set_next(&walker->targets)) != NULL) {
            batch[cnt] = &walker->snapshots[cnt];
            batch[cnt++]->id = target->id;
        }
        if (cnt == 0) {
            return; // all of them are gone
        }
        sample_batch(walker, batch, cnt);
        due -= (uint32_t)cnt;
    }
}

// ---- the tick -----------------------------------------------------------------

static void run_command(struct walker *walker, const struct walker_command *command,
                        uint64_t now_ns)
{
    switch (command->kind) {
    case WALKER_WATCH:
        (void)target_set_join(&walker->targets, command->id, TARGET_EXPLICIT,
                              command->status_filter, now_ns);
        break;
    case WALKER_UNWATCH:
        target_set_release(&walker->targets, command->id);
        break;
    case WALKER_EXCLUDE:
        top_selector_exclude(&walker->selector, command->id);
        break;
    }
}

static void run_commands(struct walker *walker)
{
    if (pthread_mutex_trylock(&walker->command_lock) != 0) {
        return; // somebody is adding one; next tick
    }
    uint64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < walker->command_cnt; i++) {
        run_command(walker, &walker->commands[i], now_ns);
    }
    walker->command_cnt = 0;
    pthread_mutex_unlock(&walker->command_lock);
}

// For whoever follows what is selected; somebody adding a command can wait.
static void publish_chosen(struct walker *walker)
{
    if (pthread_mutex_trylock(&walker->command_lock) != 0) {
        return;
    }
    walker->chosen_cnt = walker->selector.result_cnt;
    memcpy(walker->chosen, walker->selector.ids, walker->chosen_cnt * sizeof *walker->chosen);
    pthread_mutex_unlock(&walker->command_lock);
}

static bool is_due(const struct walker *walker, uint64_t now_ns)
{
    if (now_ns >= walker->next_select_ns) {
        return true;
    }
    uint64_t rest_ns = max_u64(FIRST_SELECT_NS, walker->selector.last_pass_ns * SELECT_DUTY);
    return walker->ended_cnt * ENDED_SHARE > walker->selector.result_cnt &&
           now_ns >= walker->selected_ns + rest_ns;
}

static uint64_t stretched(const struct walker *walker, uint64_t interval_ns)
{
    return interval_ns / WALKER_STRETCH_NONE *
           atomic_load_explicit(&walker->stretch_percent, memory_order_relaxed);
}

static void select_targets(struct walker *walker)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (walker->options.goal_cnt == 0 || (!walker->selecting && !is_due(walker, now_ns))) {
        return;
    }
    walker->selecting = true;
    top_selector_expect(&walker->selector,
                        atomic_load_explicit(&walker->process_cnt, memory_order_relaxed));
    uint64_t budget_ns = walker->options.sample_interval_ns / 4;
    budget_ns = budget_ns < SELECT_BUDGET_NS ? budget_ns : SELECT_BUDGET_NS;
    if (!top_selector_step(&walker->selector, &walker->reader, budget_ns)) {
        return;
    }
    walker->selecting = false;
    walker->selected_ns = now_ns;
    walker->ended_cnt = 0;
    // The first pass only knows totals since each process was born: good enough to
    // begin with, and the baseline of a second one soon after.
    bool first = walker->selector.pass_cnt == 1;
    walker->next_select_ns =
        now_ns + (first ? FIRST_SELECT_NS : stretched(walker, walker->options.select_interval_ns));
    target_set_choose(&walker->targets, walker->selector.ids, walker->selector.result_cnt,
                      walker->options.auto_status_filter, now_ns);
    publish_chosen(walker);
}

static void follow_code(struct walker *walker)
{
    if (!jit_code_list_changed(&walker->code_list, &walker->reader)) {
        return;
    }
    uint64_t first = 0;
    if (memory_reader_words(&walker->reader, walker->code_list.descriptor + 16, &first, 1)) {
        walker->code_list.first = first;
        uint32_t next = atomic_load_explicit(&walker->code_generation, memory_order_relaxed) + 1;
        atomic_store_explicit(&walker->generation_first[next % WALKER_KEPT_GENERATIONS], first,
                              memory_order_relaxed);
        atomic_store_explicit(&walker->code_generation, next, memory_order_release);
    }
}

static uint64_t count_explicit(const struct target_set *targets)
{
    uint64_t cnt = 0;
    for (uint32_t i = 0; i < targets->cnt; i++) {
        cnt += targets->targets[i].origin == TARGET_EXPLICIT;
    }
    return cnt;
}

static void set_gauge(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static void update_gauges(struct walker *walker)
{
    struct walker_gauges *gauges = &walker->gauges;
    set_gauge(&gauges->target_cnt, walker->targets.cnt);
    set_gauge(&gauges->explicit_cnt, count_explicit(&walker->targets));
    set_gauge(&gauges->process_cnt, walker->selector.processes_cnt);
    set_gauge(&gauges->select_pass_ns, walker->selector.last_pass_ns);
    set_gauge(&gauges->select_pass_cnt, walker->selector.pass_cnt);
    set_gauge(&gauges->refused_target_cnt, walker->targets.refused_cnt);
    set_gauge(&gauges->cpu_ns, clock_thread_cpu_ns());
    atomic_store_explicit(&gauges->reader_kind, walker->reader.kind, memory_order_relaxed);
}

static void tick(struct walker *walker)
{
    run_commands(walker);
    if (!memory_reader_check(&walker->reader)) {
        atomic_fetch_add_explicit(&walker->gauges.reading_stops, 1, memory_order_relaxed);
        loss_add(&walker->losses, LOSS_UNREADABLE, share_of_tick(walker));
        return;
    }
    follow_code(walker);
    sample_processes(walker);
    select_targets(walker);
    update_gauges(walker);
}

// Late by whole ticks: those are lost and counted, the schedule stays.
static uint64_t account_lateness(struct walker *walker, uint64_t due_ns)
{
    uint64_t interval_ns = walker->pace.sample_interval_ns;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t late_ns = now_ns > due_ns ? now_ns - due_ns : 0;
    uint64_t missed = late_ns / interval_ns;
    if (late_ns > atomic_load_explicit(&walker->gauges.max_late_ns, memory_order_relaxed)) {
        set_gauge(&walker->gauges.max_late_ns, late_ns);
    }
    loss_add(&walker->losses, LOSS_MISSED_TICK, missed);
    atomic_fetch_add_explicit(&walker->losses.ticks_expected, missed + 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&walker->losses.ticks_taken, 1, memory_order_relaxed);
    return due_ns + (missed + 1) * interval_ns;
}

// Long intervals are slept in pieces, so that a stop is obeyed soon.
static bool sleep_until(struct walker *walker, uint64_t due_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    while (now_ns < due_ns && !atomic_load_explicit(&walker->stopping, memory_order_acquire)) {
        uint64_t piece_ns = now_ns + MAX_SLEEP_NS;
        clock_sleep_until_ns(piece_ns < due_ns ? piece_ns : due_ns);
        now_ns = clock_monotonic_ns();
    }
    return !atomic_load_explicit(&walker->stopping, memory_order_acquire);
}

static void *walk(void *context)
{
    struct walker *walker = context;
    quiet_thread_ask_for_short_slices();
    uint64_t due_ns = clock_monotonic_ns() + walker->options.sample_interval_ns;
    while (sleep_until(walker, due_ns)) {
        due_ns = account_lateness(walker, due_ns);
        tick(walker);
    }
    return NULL;
}

// ---- life ---------------------------------------------------------------------

static size_t chosen_max(const struct walker_options *options)
{
    size_t cnt = 0;
    for (uint32_t i = 0; i < options->goal_cnt; i++) {
        cnt += options->goals[i].top_cnt;
    }
    return cnt;
}

static bool allocate(struct walker *walker)
{
    const struct walker_options *options = &walker->options;
    walker->snapshots = calloc(SNAPSHOT_MAX_BATCH + 1, sizeof *walker->snapshots);
    walker->chosen = calloc(chosen_max(options) + 1, sizeof *walker->chosen);
    return walker->snapshots != NULL && walker->chosen != NULL &&
           target_set_init(&walker->targets, options->max_targets) &&
           spsc_ring_init(&walker->ring, options->ring_bytes) &&
           (options->goal_cnt == 0 ||
            top_selector_init(&walker->selector, walker->layout, options->goals, options->goal_cnt,
                              options->cpu_usage));
}

bool walker_start(struct walker *walker, const struct otp_layout *layout,
                  const struct jit_code_list *code_list, const struct walker_options *options,
                  struct error *err)
{
    memset(walker, 0, sizeof *walker);
    walker->options = *options;
    walker->layout = layout;
    walker->code_list = *code_list;
    walker->pace = walker_pace_of(options, 0, WALKER_STRETCH_NONE);
    atomic_store_explicit(&walker->stretch_percent, WALKER_STRETCH_NONE, memory_order_relaxed);
    (void)pthread_mutex_init(&walker->command_lock, NULL);
    if (!memory_reader_open(&walker->reader, options->reader, err)) {
        walker_deinit(walker);
        return false;
    }
    if (!allocate(walker)) {
        walker_deinit(walker);
        return error_set(err, ERROR_NO_MEMORY, "walker: no memory for its tables");
    }
    for (uint32_t i = 0; i < options->excluded_cnt && options->goal_cnt > 0; i++) {
        top_selector_exclude(&walker->selector, options->excluded[i]);
    }
    walker->options.excluded = NULL;
    atomic_store_explicit(&walker->gauges.reader_kind, walker->reader.kind, memory_order_relaxed);
    if (!quiet_thread_start(&walker->thread, "flame_prof_walk", walk, walker, err)) {
        walker_deinit(walker);
        return false;
    }
    walker->running = true;
    return true;
}

void walker_stop(struct walker *walker)
{
    atomic_store_explicit(&walker->stopping, true, memory_order_release);
    if (walker->running) {
        (void)pthread_join(walker->thread, NULL);
        walker->running = false;
    }
}

void walker_deinit(struct walker *walker)
{
    memory_reader_close(&walker->reader);
    target_set_deinit(&walker->targets);
    top_selector_deinit(&walker->selector);
    spsc_ring_deinit(&walker->ring);
    free(walker->snapshots);
    walker->snapshots = NULL;
    free(walker->chosen);
    walker->chosen = NULL;
    (void)pthread_mutex_destroy(&walker->command_lock);
}

bool walker_command(struct walker *walker, struct walker_command command)
{
    pthread_mutex_lock(&walker->command_lock);
    bool room = walker->command_cnt < WALKER_MAX_COMMANDS;
    if (room) {
        walker->commands[walker->command_cnt++] = command;
    }
    pthread_mutex_unlock(&walker->command_lock);
    return room;
}

void walker_expect(struct walker *walker, uint64_t process_cnt)
{
    atomic_store_explicit(&walker->process_cnt, process_cnt, memory_order_relaxed);
}

void walker_set_run_queue_len(struct walker *walker, int64_t len)
{
    atomic_store_explicit(&walker->run_queue_len, len, memory_order_relaxed);
}

uint32_t walker_chosen(struct walker *walker, uint64_t *ids, uint32_t max_cnt)
{
    pthread_mutex_lock(&walker->command_lock);
    uint32_t cnt = walker->chosen_cnt < max_cnt ? walker->chosen_cnt : max_cnt;
    memcpy(ids, walker->chosen, cnt * sizeof *ids);
    pthread_mutex_unlock(&walker->command_lock);
    return cnt;
}

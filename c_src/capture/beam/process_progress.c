// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/process_progress.h"

enum { NS_PER_US = 1000 };

static bool has_run(const struct process_progress *progress,
                    const struct process_snapshot *snapshot)
{
    return !progress->has_looked || process_is_running(snapshot->state_flags) ||
           snapshot->values[BEAM_METRIC_REDUCTIONS] != progress->reductions;
}

// Between two looks there may have been several: they count as one.
static bool was_collected_whole(const struct process_progress *progress,
                                const struct process_snapshot *snapshot)
{
    bool is_young_again = snapshot->values[BEAM_METRIC_MINOR_GCS] < progress->minor_gcs;
    bool has_moved = progress->old_heap != 0 && snapshot->old_heap != progress->old_heap;
    return progress->has_sizes && (is_young_again || has_moved);
}

static void note_sizes(struct process_progress *progress, const struct process_snapshot *snapshot)
{
    if (!snapshot->sizes_known) {
        return;
    }
    if (!progress->has_sizes) {
        progress->first_heap = snapshot->values[BEAM_METRIC_TOTAL_HEAP_SIZE];
    }
    progress->major_gcs += was_collected_whole(progress, snapshot);
    progress->minor_gcs = snapshot->values[BEAM_METRIC_MINOR_GCS];
    progress->old_heap = snapshot->old_heap;
    progress->has_sizes = true;
}

static void set(struct process_progress *progress, struct metric_value *metrics, int metric,
                int64_t value)
{
    int64_t *last = &progress->values[metric - BEAM_METRIC_CNT];
    int64_t delta = (int64_t)((uint64_t)value - (uint64_t)*last); // what is garbage wraps
    metrics[metric] = (struct metric_value){value, progress->has_looked ? delta : 0};
    *last = value;
}

// Its delta is the wait that is new, never negative: their sum is all of it.
static void set_wait(struct process_progress *progress, const struct process_snapshot *snapshot,
                     bool ran, uint64_t now_ns, struct metric_value *metrics)
{
    bool waits = snapshot->status == PROCESS_RUNNABLE;
    if (!waits) {
        progress->runnable_ns = 0;
    } else if (ran || progress->runnable_ns == 0) {
        progress->runnable_ns = now_ns;
    }
    uint64_t wait_ns = waits ? now_ns - progress->runnable_ns : 0;
    set(progress, metrics, BEAM_METRIC_RUNNABLE_WAIT, (int64_t)(wait_ns / NS_PER_US));
    if (metrics[BEAM_METRIC_RUNNABLE_WAIT].delta < 0) {
        metrics[BEAM_METRIC_RUNNABLE_WAIT].delta = 0;
    }
}

void process_progress_look(struct process_progress *progress,
                           const struct process_snapshot *snapshot, int64_t stack_depth,
                           int64_t run_queue_len, uint64_t now_ns, struct metric_value *metrics)
{
    const int64_t *last = progress->values;
    bool ran = has_run(progress, snapshot);
    progress->progress_ns = ran ? now_ns : progress->progress_ns;
    note_sizes(progress, snapshot);
    int64_t growth = snapshot->sizes_known
                         ? (int64_t)((uint64_t)snapshot->values[BEAM_METRIC_TOTAL_HEAP_SIZE] -
                                     (uint64_t)progress->first_heap)
                         : last[BEAM_METRIC_HEAP_GROWTH - BEAM_METRIC_CNT];
    set(progress, metrics, BEAM_METRIC_MAJOR_GCS, progress->major_gcs);
    set(progress, metrics, BEAM_METRIC_HEAP_GROWTH, growth);
    set(progress, metrics, BEAM_METRIC_STACK_DEPTH,
        stack_depth >= 0 ? stack_depth : last[BEAM_METRIC_STACK_DEPTH - BEAM_METRIC_CNT]);
    set(progress, metrics, BEAM_METRIC_SINCE_SCHEDULED,
        (int64_t)((now_ns - progress->progress_ns) / NS_PER_US));
    set_wait(progress, snapshot, ran, now_ns, metrics);
    set(progress, metrics, BEAM_METRIC_RUN_QUEUE_LEN, run_queue_len);
    progress->reductions = snapshot->values[BEAM_METRIC_REDUCTIONS];
    progress->has_looked = true;
}

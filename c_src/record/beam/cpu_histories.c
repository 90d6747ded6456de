// SPDX-License-Identifier: Apache-2.0
#include "record/beam/cpu_histories.h"

#include "capture/beam/stack_words.h"

enum { RATE_WINDOW_NS = 100 * 1000 * 1000 };

static struct cpu_history *history_of(struct cpu_histories *histories, uint64_t key)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15ULL;
    struct cpu_history *history = &histories->cells[(hash >> 32) % CPU_HISTORIES_CELLS];
    if (history->key != key) {
        *history = (struct cpu_history){.key = key};
    }
    return history;
}

// A key that is no pid term: their low bits are never all zero.
static uint64_t scheduler_key(const struct cpu_sample *sample)
{
    return ((uint64_t)sample->kind << 32 | sample->scheduler_no) << 8;
}

static void fill_metrics(struct cpu_history *history, const struct process_snapshot *snapshot,
                         uint64_t period_ns, struct metric_value *metrics)
{
    for (int i = 0; snapshot != NULL && i < BEAM_METRIC_CNT; i++) {
        bool known = snapshot->sizes_known || i == BEAM_METRIC_REDUCTIONS ||
                     i == BEAM_METRIC_MESSAGE_QUEUE_LEN;
        int64_t value = known ? snapshot->values[i] : history->values[i];
        metrics[i].value = value;
        metrics[i].delta =
            history->has_sizes ? (int64_t)((uint64_t)value - (uint64_t)history->values[i]) : 0;
        history->values[i] = value;
    }
    history->has_sizes = history->has_sizes || (snapshot != NULL && snapshot->sizes_known);
    history->cpu_ns += (int64_t)period_ns;
    metrics[BEAM_METRIC_CPU_NS] = (struct metric_value){history->cpu_ns, (int64_t)period_ns};
}

// The count is as of the process's last switch: over a window that does not matter.
static void fill_rate(struct cpu_history *history, const struct process_snapshot *snapshot,
                      struct metric_value *metric)
{
    struct reduction_rate *rate = &history->rate;
    int64_t reductions = snapshot->values[BEAM_METRIC_REDUCTIONS];
    int64_t window_ns = history->cpu_ns - rate->cpu_ns;
    int64_t before = rate->per_ms;
    if (!rate->has_begun) {
        *rate = (struct reduction_rate){true, reductions, history->cpu_ns, 0};
    } else if (window_ns >= RATE_WINDOW_NS && reductions >= rate->reductions) {
        rate->per_ms = (int64_t)((double)(reductions - rate->reductions) * 1e6 / (double)window_ns);
        rate->reductions = reductions;
        rate->cpu_ns = history->cpu_ns;
    }
    *metric = (struct metric_value){rate->per_ms, rate->per_ms - before};
}

static void fill_further(struct cpu_history *history, struct vm_gauges *gauges,
                         const struct cpu_sample *sample, const struct process_snapshot *snapshot,
                         struct metric_value *metrics)
{
    enum scheduler_kind kind = (enum scheduler_kind)sample->kind;
    int64_t run_queue_len = vm_gauges_run_queue_len(gauges, kind, sample->scheduler_no);
    const uint64_t *stack =
        sample->words + sample->process_words + sample->c_words + sample->c_root_words;
    uint32_t stack_words = (uint32_t)sample->leaf_words + sample->root_words;
    vm_gauges_take_account(gauges, kind, sample->scheduler_no, metrics);
    if (snapshot == NULL) {
        metrics[BEAM_METRIC_RUN_QUEUE_LEN].value = run_queue_len;
        return;
    }
    int64_t depth =
        stack_words == 0 ? -1 : stack_words_depth(stack, stack_words, sample->omitted_words);
    process_progress_look(&history->progress, snapshot, depth, run_queue_len, sample->time_ns,
                          metrics);
    fill_rate(history, snapshot, &metrics[BEAM_METRIC_REDUCTION_RATE]);
}

void cpu_histories_take(struct cpu_histories *histories, struct vm_gauges *gauges,
                        const struct cpu_sample *sample, const struct process_snapshot *snapshot,
                        struct metric_value *metrics)
{
    uint64_t key = snapshot != NULL ? snapshot->id : scheduler_key(sample);
    struct cpu_history *history = history_of(histories, key);
    fill_metrics(history, snapshot, sample->period_ns, metrics);
    fill_further(history, gauges, sample, snapshot, metrics);
}

// SPDX-License-Identifier: Apache-2.0
#include "record/system/event_output.h"

#include <stdio.h>

enum { MAX_THREADS = 32768 };

#define METRIC_NAME(id, name) name,
#define EVENT_METRICS(last)                                                                        \
    {                                                                                              \
        SYSTEM_METRICS(METRIC_NAME)(last)                                                          \
    }
static const char *const METRIC_NAMES[SYSTEM_EVENT_CNT][THREAD_METRIC_CNT] = {
    [SYSTEM_EVENT_CPU_CLOCK] = EVENT_METRICS(""), // one less
    [SYSTEM_EVENT_OFF_CPU] = EVENT_METRICS("native_off_cpu_ns"),
    [SYSTEM_EVENT_RUN_QUEUE] = EVENT_METRICS("native_run_queue_ns"),
    [SYSTEM_EVENT_MINOR_FAULTS] = EVENT_METRICS("native_sampled_minor_faults"),
    [SYSTEM_EVENT_MAJOR_FAULTS] = EVENT_METRICS("native_sampled_major_faults"),
    [SYSTEM_EVENT_CONTEXT_SWITCHES] = EVENT_METRICS("native_sampled_context_switches"),
    [SYSTEM_EVENT_CYCLES] = EVENT_METRICS("native_sampled_cycles"),
    [SYSTEM_EVENT_INSTRUCTIONS] = EVENT_METRICS("native_sampled_instructions"),
    [SYSTEM_EVENT_CACHE_MISSES] = EVENT_METRICS("native_sampled_cache_misses"),
};
#undef EVENT_METRICS
#undef METRIC_NAME

// What the number behind the event's name was.
static void say_number(struct session *session, enum system_event event, uint64_t number)
{
    bool is_time = system_event_number(event) == SYSTEM_EVENT_MIN_NS;
    if (event != SYSTEM_EVENT_CPU_CLOCK) {
        (void)session_set(session, is_time ? "min_time_ns" : "one_sample_for", "%llu",
                          (unsigned long long)number);
    }
}

static void fill_session(struct event_output *output, const struct session *common, uint64_t number)
{
    enum system_event event = output->event;
    output->session = *common;
    output->session.event_name = system_event_name(event);
    output->session.period_unit = system_event_unit(event);
    output->session.metric_names = METRIC_NAMES[event];
    output->session.metric_cnt =
        event == SYSTEM_EVENT_CPU_CLOCK ? SYSTEM_METRIC_CNT : THREAD_METRIC_CNT;
    say_number(&output->session, event, number);
}

bool event_output_open(struct event_output *output, enum system_event event, uint64_t number,
                       const struct session *common, const struct recording_options *options,
                       bool has_others, struct error *err)
{
    struct recording_options mine = *options;
    output->event = event;
    fill_session(output, common, number);
    (void)snprintf(output->stem, sizeof output->stem, "%.200s%s%s", options->files.stem,
                   has_others ? "_" : "", has_others ? system_event_name(event) : "");
    mine.files.stem = output->stem;
    output->threads = thread_counters_create(MAX_THREADS);
    if (output->threads == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "record: out of memory");
    }
    output->is_open =
        recording_open(&output->output, &output->session, &output->losses, &mine, err);
    return output->is_open;
}

void event_output_tell_files(struct event_output *output, struct frame_names *names)
{
    const char *line = NULL;
    if (output->told_in != output->output.begun_cnt) {
        output->told_in = output->output.begun_cnt;
        output->told_cnt = 0;
    }
    while (frame_names_next_file(names, &output->told_cnt, &line)) {
        recording_comment(&output->output, "mapping", line);
    }
}

void event_output_write(struct event_output *output, const struct system_sample *sample,
                        uint32_t stack, const struct frame *frames, uint32_t frame_cnt)
{
    struct metric_value metrics[THREAD_METRIC_CNT];
    thread_counters_take(output->threads, sample, metrics);
    struct sample named = {
        .time_ns = sample->time_ns,
        .period_ns = sample->weight,
        .cpu = sample->cpu,
        .pid = sample->pid,
        .tid = sample->tid,
        .category = text_of(sample->comm),
        .stack = stack,
        .frames = frames,
        .frame_cnt = frame_cnt,
        .metrics = metrics,
    };
    recording_write(&output->output, &named);
}

void event_output_skip(struct event_output *output, const struct system_sample *sample)
{
    struct metric_value metrics[THREAD_METRIC_CNT];
    thread_counters_take(output->threads, sample, metrics);
}

bool event_output_close(struct event_output *output, const char *end_reason, struct error *err)
{
    return recording_close(&output->output, end_reason, err);
}

void event_output_destroy(struct event_output *output)
{
    (void)event_output_close(output, "not stopped", NULL);
    thread_counters_destroy(output->threads);
    output->threads = NULL;
    output->is_open = false;
}

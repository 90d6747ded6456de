// SPDX-License-Identifier: Apache-2.0
#include "sinks/perf_script_sink.h"

#include "base/clock.h"
#include "sinks/session_facts.h"
#include "store/perf_script_text.h"

#include <string.h>

// Whole microseconds; a last sample on a full second crashes Flamescope's heatmap.
static uint64_t shown_time_ns(uint64_t time_ns)
{
    uint64_t us = time_ns / CLOCK_NS_PER_US;
    return (us % 1000000 == 0 ? us + 1 : us) * CLOCK_NS_PER_US;
}

static bool append_event_line(struct byte_buffer *out, const struct session *session,
                              const struct sample *sample)
{
    struct perf_script_metric metrics[METRIC_MAX_CNT];
    for (uint32_t i = 0; i < session->metric_cnt; i++) {
        metrics[i] = (struct perf_script_metric){
            text_of(session->metric_names[i]), sample->metrics[i].value, sample->metrics[i].delta};
    }
    struct perf_script_event event = {
        .category = sample->category,
        .pid = sample->pid,
        .tid = sample->tid,
        .cpu = sample->cpu,
        .has_cpu = true,
        .time_ns = shown_time_ns(sample->time_ns),
        .has_period = PERF_SCRIPT_HAS_PERIOD,
        .period = sample->period_ns,
        .event_name = text_of(session->event_name),
        .metrics = metrics,
        .metric_cnt = session->metric_cnt,
    };
    return perf_script_text_event(out, &event);
}

// --- frames ----------------------------------------------------------------------

static bool perf_script_frame(struct byte_buffer *out, const struct frame *frame)
{
    struct perf_script_frame shown = {frame->address, frame->name, frame->line, frame->file};
    return perf_script_text_frame(out, &shown);
}

static char *put(char *at, struct text text)
{
    memcpy(at, text.bytes, text.len);
    return at + text.len;
}

static bool append_kept(struct byte_buffer *out, const struct sample *sample, uint32_t cnt,
                        size_t bytes)
{
    char *at = byte_buffer_reserve(out, bytes);
    if (at == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        at = put(at, sample->frames[i].shown);
    }
    byte_buffer_commit(out, at);
    return true;
}

static bool append_frames(struct byte_buffer *out, const struct sample *sample)
{
    size_t kept_bytes = 0;
    uint32_t kept = 0;
    while (kept < sample->frame_cnt && sample->frames[kept].shown.len > 0) {
        kept_bytes += sample->frames[kept++].shown.len;
    }
    bool ok = append_kept(out, sample, kept, kept_bytes);
    for (uint32_t i = kept; i < sample->frame_cnt && ok; i++) {
        const struct frame *frame = &sample->frames[i];
        ok = frame->shown.len > 0 ? byte_buffer_append_text(out, frame->shown)
                                  : perf_script_frame(out, frame);
    }
    return ok;
}

static bool perf_script_sample(void *state, struct byte_buffer *out, const struct session *session,
                               const struct sample *sample)
{
    (void)state;
    return append_event_line(out, session, sample) && append_frames(out, sample) &&
           byte_buffer_append_char(out, '\n');
}

// --- comments --------------------------------------------------------------------

static bool perf_script_note(void *state, struct byte_buffer *out, const char *key,
                             const char *value)
{
    (void)state;
    return perf_script_text_field(out, text_of(key), text_of(value));
}

// What the buffer refuses it remembers.
static void append_fact(void *context, const char *key, const char *value)
{
    (void)perf_script_text_field(context, text_of(key), text_of(value));
}

static bool perf_script_begin(void *state, struct byte_buffer *out, const struct session *session)
{
    (void)state;
    (void)perf_script_text_begin(out);
    session_facts_head(session, append_fact, out);
    return !out->overflowed;
}

static bool perf_script_end(void *state, struct byte_buffer *out, const struct session *session,
                            const struct file_summary *summary)
{
    (void)state;
    session_facts_foot(session, summary, append_fact, out);
    return !out->overflowed;
}

const struct sink PERF_SCRIPT_SINK = {
    .name = "perf-script",
    .suffix = ".perf",
    .begin = perf_script_begin,
    .frame = perf_script_frame,
    .sample = perf_script_sample,
    .note = perf_script_note,
    .end = perf_script_end,
};

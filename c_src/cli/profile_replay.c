// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_CATEGORIES = 16, CATEGORY_BYTES = 256 };

struct replay {
    const struct profile *profile;
    const struct perf_script_handler *handler;
    struct perf_script_stats *stats;
    const struct profile_column *columns[PROFILE_MAX_METRICS][PROFILE_FORM_CNT];
    struct perf_script_metric metrics[PROFILE_MAX_METRICS];
    struct perf_script_frame frames[PERF_SCRIPT_MAX_FRAMES + MAX_CATEGORIES];
    char categories[MAX_CATEGORIES][CATEGORY_BYTES]; // text of outermost frames
    char process[32];
    char digits[PROFILE_DIGITS_BYTES];
};

static bool open_columns(struct replay *replay, struct error *err)
{
    for (uint32_t m = 0; m < replay->profile->metric_cnt; m++) {
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            const struct profile_column *column =
                profile_metric_column(replay->profile, m, (enum profile_form)form, err);
            if (column == NULL) {
                return false;
            }
            replay->columns[m][form] = column;
        }
    }
    return true;
}

static void say_facts(const struct replay *replay)
{
    const struct profile *profile = replay->profile;
    for (uint32_t s = 0; s < profile->source_cnt && replay->handler->field != NULL; s++) {
        for (uint32_t f = 0; f < profile->sources[s].fact_cnt; f++) {
            const struct profile_fact *fact = &profile->sources[s].facts[f];
            replay->handler->field(replay->handler->context, profile_text(profile, fact->key),
                                   profile_text(profile, fact->value));
        }
    }
}

// --- an event -------------------------------------------------------------------

static uint32_t number_of(const struct replay *replay, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(replay->profile, dimension, row);
    return code == 0 ? 0 : (uint32_t)replay->profile->dimensions[dimension].values[code];
}

static struct text text_in(struct replay *replay, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(replay->profile, dimension, row);
    return code == 0 ? TEXT("")
                     : profile_code_text(replay->profile, dimension, code, replay->digits);
}

static uint32_t add_stack(struct replay *replay, uint64_t row)
{
    const struct profile *profile = replay->profile;
    const struct profile_node *nodes = profile->dictionary.nodes;
    uint32_t cnt = 0;
    for (stack_id at = profile->stack[row]; at != 0; at = nodes[at].parent) {
        const struct profile_frame *frame = &profile->dictionary.frames[nodes[at].frame];
        if (cnt == PERF_SCRIPT_MAX_FRAMES) {
            replay->stats->dropped_cnt++;
            continue;
        }
        replay->frames[cnt++] =
            (struct perf_script_frame){frame->address, profile_text(profile, frame->name),
                                       frame->line, profile_text(profile, frame->file)};
    }
    return cnt;
}

// The first dimension is outermost, so it comes last.
static uint32_t add_categories(struct replay *replay, uint64_t row, uint32_t cnt)
{
    const struct profile *profile = replay->profile;
    uint32_t used = 0;
    for (uint32_t d = profile->dimension_cnt; d > 0 && used < MAX_CATEGORIES; d--) {
        const struct profile_dimension *dimension = &profile->dimensions[d - 1];
        struct text value = text_in(replay, d - 1, row);
        if (!dimension->is_root_frame || value.len == 0) {
            continue;
        }
        struct text kind = profile_text(profile, dimension->name);
        bool is_call = text_equal(kind, TEXT("initial_call"));
        char *name = replay->categories[used++];
        int len = is_call ? snprintf(name, CATEGORY_BYTES, "{%.*s}", (int)value.len, value.bytes)
                          : snprintf(name, CATEGORY_BYTES, "{%.*s %.*s}", (int)kind.len, kind.bytes,
                                     (int)value.len, value.bytes);
        uint32_t name_len = len < CATEGORY_BYTES ? (uint32_t)len : CATEGORY_BYTES - 1;
        replay->frames[cnt++] = (struct perf_script_frame){0, {name, name_len}, 0, TEXT("process")};
    }
    return cnt;
}

static uint32_t add_metrics(struct replay *replay, uint64_t row)
{
    const struct profile *profile = replay->profile;
    uint32_t cnt = 0;
    for (uint32_t m = 0; m < profile->metric_cnt; m++) {
        const struct profile_column *values = replay->columns[m][PROFILE_VALUE];
        const struct profile_column *deltas = replay->columns[m][PROFILE_DELTA];
        if (values != NULL && deltas != NULL && profile_metric_present(&profile->metrics[m], row)) {
            replay->metrics[cnt++] = (struct perf_script_metric){
                profile_text(profile, profile->metrics[m].name), profile_column_at(values, row),
                profile_column_at(deltas, row)};
        }
    }
    return cnt;
}

static struct text process_of(struct replay *replay, uint32_t pid, uint32_t tid)
{
    int len = pid == 0 ? snprintf(replay->process, sizeof replay->process, "0.%" PRIu32 ".0", tid)
                       : snprintf(replay->process, sizeof replay->process, "%" PRIu32 "/%" PRIu32,
                                  pid, tid);
    return (struct text){replay->process, (uint32_t)len};
}

static struct text category_of(struct replay *replay, uint64_t row)
{
    static const uint32_t DIMENSIONS[] = {PROFILE_STATUS, PROFILE_STATE, PROFILE_COMM};
    struct text text = {NULL, 0};
    for (size_t i = 0; i < sizeof DIMENSIONS / sizeof DIMENSIONS[0] && text.len == 0; i++) {
        text = text_in(replay, DIMENSIONS[i], row);
    }
    return text;
}

static void say_event(struct replay *replay, uint64_t row)
{
    const struct profile *profile = replay->profile;
    int64_t period = profile_column_at(&profile->period, row);
    uint32_t frame_cnt = add_categories(replay, row, add_stack(replay, row));
    struct perf_script_event event = {
        .category = category_of(replay, row),
        .pid = number_of(replay, PROFILE_PID, row),
        .tid = number_of(replay, PROFILE_TID, row),
        .cpu = number_of(replay, PROFILE_CPU, row),
        .has_cpu = profile_code(profile, PROFILE_CPU, row) != 0,
        .time_ns = profile->time_ns[row],
        .has_period = period != 0 ? PERF_SCRIPT_HAS_PERIOD : PERF_SCRIPT_NO_PERIOD,
        .period = (uint64_t)period,
        .event_name = text_in(replay, PROFILE_EVENT, row),
        .metrics = replay->metrics,
        .metric_cnt = add_metrics(replay, row),
        .frames = replay->frames,
        .frame_cnt = frame_cnt,
    };
    event.process = process_of(replay, event.pid, event.tid);
    replay->stats->event_cnt++;
    replay->stats->frame_cnt += frame_cnt;
    replay->handler->event(replay->handler->context, &event);
}

bool profile_replay(const struct selection *selection, const struct perf_script_handler *handler,
                    struct perf_script_stats *stats, struct error *err)
{
    struct replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "out of memory");
    }
    replay->profile = selection->profile;
    replay->handler = handler;
    replay->stats = stats;
    stats->line_cnt += replay->profile->stats.line_cnt;
    stats->malformed_line_cnt += replay->profile->stats.malformed_cnt;
    stats->dropped_cnt += replay->profile->stats.dropped_cnt;
    bool ok = open_columns(replay, err);
    if (ok) {
        say_facts(replay);
    }
    for (uint64_t row = selection->first; ok && row < selection->end; row++) {
        if (selection_has(selection, row)) {
            say_event(replay, row);
        }
    }
    free(replay);
    return ok;
}

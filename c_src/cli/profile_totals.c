// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_totals.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_KEY_BYTES = 2048 };

// Of the names a process can have; a registered one says most.
enum { RANK_CATEGORY = 1, RANK_INITIAL_CALL = 2, RANK_REGISTERED = 3 };

bool profile_totals_init(struct profile_totals *totals, const struct top_options *options)
{
    bool ok = true;
    *totals = (struct profile_totals){.options = options};
    for (int i = 0; i < TOP_KEY_CNT; i++) {
        if (options->shows[i]) {
            totals->tables[i] = profile_table_create();
            ok = ok && totals->tables[i] != NULL;
        }
    }
    return ok;
}

void profile_totals_deinit(struct profile_totals *totals)
{
    for (int i = 0; i < TOP_KEY_CNT; i++) {
        profile_table_destroy(totals->tables[i]);
        totals->tables[i] = NULL;
    }
}

// --- frames -------------------------------------------------------------------

static bool is_wrapped(struct text text, char open, char close)
{
    return text.len > 2 && text.bytes[0] == open && text.bytes[text.len - 1] == close;
}

// What stands for a process, not for code: {registered NAME}, {m:f/a}, and (m:f/a)
// as 2021 had it.
static bool is_category_frame(const struct perf_script_frame *frame)
{
    return is_wrapped(frame->name, '{', '}') || is_wrapped(frame->name, '(', ')');
}

static bool is_function(const struct perf_script_frame *frame)
{
    return !is_category_frame(frame) && !text_equal(frame->file, TEXT("truncated"));
}

static struct text basename_of(struct text path)
{
    const char *slash = path.len == 0 ? NULL : memrchr(path.bytes, '/', path.len);
    if (slash == NULL || slash + 1 == path.bytes + path.len) {
        return path;
    }
    return (struct text){slash + 1, path.len - (uint32_t)(slash + 1 - path.bytes)};
}

static struct text function_key(const struct perf_script_frame *frame, char key[MAX_KEY_BYTES])
{
    struct text file = basename_of(frame->file);
    int len = snprintf(key, MAX_KEY_BYTES, "%.*s  %.*s", (int)frame->name.len, frame->name.bytes,
                       (int)file.len, file.bytes);
    return (struct text){key, (uint32_t)(len < MAX_KEY_BYTES ? len : MAX_KEY_BYTES - 1)};
}

// --- weights ------------------------------------------------------------------

static bool metric_weight(const struct profile_totals *totals,
                          const struct perf_script_event *event, int64_t *weight)
{
    struct text wanted = text_of(totals->options->metric);
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        if (text_equal(event->metrics[i].name, wanted)) {
            *weight = totals->options->weight == TOP_WEIGHT_METRIC_DELTA ? event->metrics[i].delta
                                                                         : event->metrics[i].value;
            return true;
        }
    }
    return false;
}

static bool weight_of(struct profile_totals *totals, const struct perf_script_event *event,
                      int64_t *weight)
{
    if (totals->options->weight != TOP_WEIGHT_PERIOD) {
        bool has_metric = metric_weight(totals, event, weight);
        totals->no_metric_cnt += has_metric ? 0 : 1;
        return has_metric;
    }
    bool has_period = event->has_period == PERF_SCRIPT_HAS_PERIOD && event->period <= INT64_MAX;
    totals->with_period_cnt += has_period ? 1 : 0;
    *weight = has_period ? (int64_t)event->period : 1;
    return true;
}

// Wraps around instead of overflowing: the file may hold anything.
static void add(int64_t *sum, int64_t weight)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)weight);
}

static void add_total(struct profile_totals *totals, struct profile_row *row, int64_t weight)
{
    if (row->counted_event != totals->event_cnt) {
        row->counted_event = totals->event_cnt;
        row->sample_cnt++;
        add(&row->total, weight);
    }
}

static void add_all(struct profile_totals *totals, struct profile_row *row, int64_t weight)
{
    add_total(totals, row, weight);
    add(&row->self, weight);
}

// --- tables -------------------------------------------------------------------

static void add_functions(struct profile_totals *totals, const struct perf_script_event *event,
                          int64_t weight)
{
    struct profile_table *table = totals->tables[TOP_KEY_FUNCTION];
    char key[MAX_KEY_BYTES];
    bool has_self = false;
    for (uint32_t i = 0; i < event->frame_cnt; i++) {
        if (!is_function(&event->frames[i])) {
            continue;
        }
        struct profile_row *row = profile_table_row(table, function_key(&event->frames[i], key));
        add_total(totals, row, weight);
        if (!has_self) {
            add(&row->self, weight);
            has_self = true;
        }
    }
    if (!has_self) {
        add_all(totals, profile_table_row(table, TEXT("[no stack]")), weight);
    }
}

// In a VM's file the threads are Erlang processes, and they are what "process"
// means there.
static bool has_erlang_processes(const struct perf_script_event *event)
{
    static const struct text PREFIX = {"beam-", 5};
    bool is_beam = event->event_name.len > PREFIX.len &&
                   memcmp(event->event_name.bytes, PREFIX.bytes, PREFIX.len) == 0;
    bool is_2021 =
        event->process.len > 0 && memchr(event->process.bytes, '.', event->process.len) != NULL;
    return is_beam || is_2021;
}

static void label_process(struct profile_table *table, struct profile_row *row,
                          const struct perf_script_event *event)
{
    static const struct text REGISTERED = {"{registered ", 12};
    profile_table_label(table, row, event->category, RANK_CATEGORY);
    for (uint32_t i = event->frame_cnt; i > 0; i--) {
        struct text name = event->frames[i - 1].name;
        if (!is_category_frame(&event->frames[i - 1])) {
            break;
        }
        bool is_registered =
            name.len > REGISTERED.len && memcmp(name.bytes, REGISTERED.bytes, REGISTERED.len) == 0;
        uint32_t skipped = is_registered ? REGISTERED.len : 1;
        struct text inner = {name.bytes + skipped, name.len - skipped - 1};
        profile_table_label(table, row, inner, is_registered ? RANK_REGISTERED : RANK_INITIAL_CALL);
    }
}

static void add_process(struct profile_totals *totals, enum top_key key,
                        const struct perf_script_event *event, int64_t weight)
{
    char pid[16];
    struct text name = event->process;
    if (key == TOP_KEY_PROCESS && !has_erlang_processes(event) && event->pid != 0) {
        name = (struct text){pid, (uint32_t)snprintf(pid, sizeof pid, "%" PRIu32, event->pid)};
    }
    struct profile_row *row = profile_table_row(totals->tables[key], name);
    label_process(totals->tables[key], row, event);
    add_all(totals, row, weight);
}

static void note_event(struct profile_totals *totals, const struct perf_script_event *event)
{
    if (totals->event_cnt == 0) {
        totals->first_ns = totals->last_ns = event->time_ns;
        (void)snprintf(totals->event_name, sizeof totals->event_name, "%.*s",
                       (int)event->event_name.len, event->event_name.bytes);
    }
    totals->first_ns = event->time_ns < totals->first_ns ? event->time_ns : totals->first_ns;
    totals->last_ns = event->time_ns > totals->last_ns ? event->time_ns : totals->last_ns;
    totals->event_cnt++;
}

void profile_totals_add(struct profile_totals *totals, const struct perf_script_event *event)
{
    int64_t weight = 0;
    const char *category = totals->options->category;
    if ((category != NULL && !text_equal(event->category, text_of(category))) ||
        !weight_of(totals, event, &weight)) {
        return;
    }
    note_event(totals, event);
    add(&totals->weight, weight);
    totals->magnitude += weight < 0 ? 0 - (uint64_t)weight : (uint64_t)weight;
    if (totals->tables[TOP_KEY_FUNCTION] != NULL) {
        add_functions(totals, event, weight);
    }
    if (totals->tables[TOP_KEY_PROCESS] != NULL) {
        add_process(totals, TOP_KEY_PROCESS, event, weight);
    }
    if (totals->tables[TOP_KEY_THREAD] != NULL) {
        add_process(totals, TOP_KEY_THREAD, event, weight);
    }
    if (totals->tables[TOP_KEY_CATEGORY] != NULL) {
        struct profile_table *table = totals->tables[TOP_KEY_CATEGORY];
        add_all(totals, profile_table_row(table, event->category), weight);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include "import/script_import.h"

#include "base/byte_buffer.h"
#include "import/input_trouble.h"
#include "import/line_scan.h"
#include "import/script_event.h"
#include "import/script_notes.h"
#include "import/script_stack.h"
#include "model/first_word.h"
#include "store/perf_script_line.h"
#include "store/perf_script_text.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VALUE_BYTES = 1 << 20 };

struct metric_slot {
    struct text name; // as the dictionary has it
    int metric;
    bool lacks_delta; // whatever the text says
};

struct script_import {
    struct profile_builder *builder;
    struct profile_input_stats *stats;
    struct script_stack_reader *stacks;
    struct metric_slot slots[SCRIPT_MAX_METRICS];
    uint32_t slot_cnt;
    bool source_has_rows;
    struct script_notes notes;
    struct byte_buffer plain;
    bool is_mixed;          // event lines stand among indented ones: `perf script` pads without -g
    struct text last_event; // as the dictionary has it
    uint32_t last_event_code;
    uint32_t last_first_word; // the dimension that it means with that event
    struct script_event event;
    uint32_t found_turn; // of the event's labels, for which `found` is right
    uint32_t found_cnt;
    const struct metric_slot *found[SCRIPT_MAX_METRICS];
};

struct script_import *script_import_create(struct profile_builder *builder)
{
    struct script_import *import = calloc(1, sizeof *import);
    if (import == NULL) {
        return NULL;
    }
    import->builder = builder;
    import->stats = &profile_builder_profile(builder)->stats;
    script_notes_init(&import->notes, builder);
    import->stacks = script_stack_reader_create(builder, &import->notes);
    byte_buffer_init(&import->plain, MAX_VALUE_BYTES);
    if (import->stacks == NULL) {
        free(import);
        return NULL;
    }
    return import;
}

void script_import_destroy(struct script_import *import)
{
    if (import != NULL) {
        script_stack_reader_destroy(import->stacks);
        script_notes_deinit(&import->notes);
        byte_buffer_deinit(&import->plain);
    }
    free(import);
}

// --- metrics ------------------------------------------------------------------

static int add_metric(struct script_import *import, struct text name, struct text unit,
                      bool lacks_delta)
{
    int metric = profile_builder_metric(import->builder, name, unit);
    if (metric != PROFILE_NONE && import->slot_cnt < SCRIPT_MAX_METRICS) {
        const struct profile *profile = profile_builder_profile(import->builder);
        import->slots[import->slot_cnt++] = (struct metric_slot){
            profile_text(profile, profile->metrics[metric].name), metric, lacks_delta};
    }
    return metric;
}

// NULL when there is none of that name, `expected` being its likely number.
static const struct metric_slot *find_metric(const struct script_import *import, struct text name,
                                             uint32_t expected)
{
    if (expected < import->slot_cnt && text_equal(import->slots[expected].name, name)) {
        return &import->slots[expected];
    }
    for (uint32_t i = 0; i < import->slot_cnt; i++) {
        if (text_equal(import->slots[i].name, name)) {
            return &import->slots[i];
        }
    }
    return NULL;
}

// --- comments -----------------------------------------------------------------

// `UNIT`, maybe with `, no delta` behind it.
static void take_metric(struct script_import *import, struct text name, struct text unit)
{
    static const struct text NO_DELTA = TEXT(", no delta");
    bool lacks_delta = text_ends_with(unit, NO_DELTA);
    unit.len -= lacks_delta ? NO_DELTA.len : 0;
    if (find_metric(import, name, 0) == NULL) {
        (void)add_metric(import, name, unit, lacks_delta);
    }
}

static void take_comment(struct script_import *import, struct text line)
{
    static const struct text METRIC = TEXT("metric ");
    struct text key;
    struct text value;
    if (!perf_script_line_field(line, &key, &value)) {
        return;
    }
    value = perf_script_text_plain(&import->plain, value);
    if (text_begins_with(key, METRIC)) {
        take_metric(import, (struct text){key.bytes + METRIC.len, key.len - METRIC.len}, value);
        return;
    }
    if (script_notes_take(&import->notes, key, value)) {
        return;
    }
    if (text_equal(key, TEXT("flame_prof")) && import->source_has_rows) { // files in a row
        (void)profile_builder_source(import->builder, TEXT(""));
        import->source_has_rows = false;
    }
    profile_builder_fact(import->builder, key, value);
}

// --- rows ---------------------------------------------------------------------

static void heed_event(struct script_import *import, const struct script_event *event)
{
    struct text metric = event->metric_cnt > 0 ? event->metrics[0].name : TEXT("");
    if (!script_notes_lack(&import->notes, PROFILE_EVENT) &&
        (import->last_event.bytes == NULL || !text_equal(event->event, import->last_event))) {
        struct profile *profile = profile_builder_profile(import->builder);
        import->last_event_code =
            profile_builder_text(import->builder, PROFILE_EVENT, event->event);
        import->last_event =
            profile_code_text(profile, PROFILE_EVENT, import->last_event_code, NULL);
    }
    import->last_first_word = first_word_of(event->event, metric);
}

// Also makes those that are new, before a row begins.
static const struct metric_slot *metric_of(struct script_import *import, struct text name,
                                           uint32_t expected)
{
    const struct metric_slot *slot = find_metric(import, name, expected);
    if (slot == NULL && add_metric(import, name, TEXT(""), false) != PROFILE_NONE) {
        slot = find_metric(import, name, import->slot_cnt - 1);
    }
    return slot;
}

static void find_metrics(struct script_import *import, const struct script_event *event)
{
    if (import->found_turn == event->label_turn && event->metric_cnt <= import->found_cnt) {
        return;
    }
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        import->found[i] = metric_of(import, event->metrics[i].name, i);
    }
    import->found_turn = event->label_turn;
    import->found_cnt = event->metric_cnt;
}

static void set_metrics(struct script_import *import, const struct script_event *event)
{
    import->stats->dropped_cnt += event->dropped_cnt;
    for (uint32_t i = 0; i < event->metric_cnt; i++) {
        const struct script_metric *from = &event->metrics[i];
        const struct metric_slot *slot = import->found[i];
        if (slot != NULL && slot->lacks_delta) {
            profile_builder_set_value(import->builder, (uint32_t)slot->metric, from->value);
        } else if (slot != NULL) {
            profile_builder_set_metric(import->builder, (uint32_t)slot->metric, from->value,
                                       from->delta);
        }
    }
}

static void set_number(struct script_import *import, uint32_t dimension, bool has, uint32_t number)
{
    if (has && !script_notes_lack(&import->notes, dimension)) {
        profile_builder_set_code(import->builder, dimension,
                                 profile_builder_number(import->builder, dimension, number));
    }
}

static void set_words(struct script_import *import, const struct script_event *event)
{
    struct profile_builder *builder = import->builder;
    uint32_t first = import->last_first_word;
    if (!script_notes_lack(&import->notes, PROFILE_EVENT)) {
        profile_builder_set_code(builder, PROFILE_EVENT, import->last_event_code);
    }
    if (!script_notes_lack(&import->notes, PROFILE_COMM)) {
        struct text word = script_notes_comm(&import->notes, event->tid, event->comm);
        uint32_t code = word.len == 0 ? 0 : profile_builder_text(builder, first, word);
        profile_builder_set_code(builder, first, code);
    }
}

static void add_row(struct script_import *import, const struct script_event *event,
                    const struct script_stack *stack)
{
    struct profile_builder *builder = import->builder;
    int64_t period = event->period > INT64_MAX ? INT64_MAX : (int64_t)event->period;
    find_metrics(import, event); // made before the row begins
    heed_event(import, event);
    profile_builder_begin_row(builder, script_notes_time(&import->notes, event->time_ns),
                              stack->stack, period);
    set_metrics(import, event);
    set_number(import, PROFILE_PID, event->has_pid, event->pid);
    set_number(import, PROFILE_TID, event->has_tid, event->tid);
    set_number(import, PROFILE_CPU, event->has_cpu, event->cpu);
    set_words(import, event);
    for (uint32_t i = 0; i < stack->code_cnt; i++) {
        profile_builder_set_code(builder, stack->codes[i].dimension, stack->codes[i].code);
    }
    profile_builder_end_row(builder);
    import->source_has_rows = true;
}

// --- lines --------------------------------------------------------------------

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline == NULL ? end : newline;
}

// Where the indented lines that begin at `block` end, the last newline excluded; `end`
// when that cannot be seen yet.
static const char *block_end(struct script_import *import, const char *block, const char *end)
{
    struct script_event *event = &import->event;
    if (!import->is_mixed) {
        return line_scan_block_end(block, end);
    }
    for (const char *at = block; at < end;) {
        const char *newline = line_end(at, end);
        const char *next = newline == end ? end : newline + 1;
        struct text line = {next, (uint32_t)(line_end(next, end) - next)};
        bool is_stack =
            next < end && (*next == '\t' || (*next == ' ' && !script_event_parse(line, event)));
        if (!is_stack) {
            return next == end ? end : newline;
        }
        at = next;
    }
    return end;
}

// Whether a frame begins there.
static bool is_indented(struct script_import *import, const char *at, const char *end)
{
    if (at == end || (*at != '\t' && *at != ' ')) {
        return false;
    }
    struct text line = {at, (uint32_t)(line_end(at, end) - at)};
    if (*at == ' ' && script_event_parse(line, &import->event)) {
        import->is_mixed = true;
        return false;
    }
    return true;
}

static const char *take_stack(struct script_import *import, const char *block, const char *behind,
                              struct script_stack *stack)
{
    const char *stopped = script_stack_reader_block(import->stacks, block, behind, stack);
    import->is_mixed |= stopped != behind;
    return stopped;
}

// An event with its stack, whose lines are indented. Returns what is behind them, or
// NULL when they are not all there yet.
static const char *take_sample(struct script_import *import, struct text line, const char *end,
                               bool is_last)
{
    const char *newline = line.bytes + line.len;
    struct script_stack stack = {0};
    const char *block = newline == end ? end : newline + 1;
    bool has_stack = is_indented(import, block, end);
    const char *behind = has_stack ? block_end(import, block, end) : block;
    if (behind == end && !is_last) {
        return NULL;
    }
    import->stats->line_cnt++;
    if (!script_event_parse(line, &import->event)) {
        input_trouble_add(import->stats, line);
        return block;
    }
    if (has_stack) {
        behind = take_stack(import, block, behind, &stack);
    } else if (import->event.rest.len > 0) {
        script_stack_reader_line(import->stacks, import->event.rest, &stack);
    }
    add_row(import, &import->event, &stack);
    bool at_newline = has_stack && behind < end && *behind == '\n';
    return behind + at_newline;
}

// One line that is no event, or an event with its stack.
static const char *take_next(struct script_import *import, const char *at, const char *end,
                             bool is_last)
{
    const char *newline = line_end(at, end);
    if (newline == end && !is_last) {
        return NULL;
    }
    struct text line = {at, (uint32_t)(newline - at)};
    const char *behind = newline == end ? end : newline + 1;
    if (line.len == 0) {
        import->stats->line_cnt++;
        return behind;
    }
    if (*at == '#') {
        import->stats->line_cnt++;
        take_comment(import, line);
        return behind;
    }
    if (*at == '\t') { // a frame without an event
        import->stats->line_cnt++;
        input_trouble_add(import->stats, line);
        return behind;
    }
    return take_sample(import, line, end, is_last);
}

size_t script_import_feed(struct script_import *import, const char *bytes, size_t len, bool is_last)
{
    const char *end = bytes + len;
    const char *at = bytes;
    while (at < end) {
        const char *behind = take_next(import, at, end, is_last);
        if (behind == NULL) {
            break;
        }
        at = behind;
    }
    import->stats->byte_cnt += (uint64_t)(at - bytes);
    return (size_t)(at - bytes);
}

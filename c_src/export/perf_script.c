// SPDX-License-Identifier: Apache-2.0
// perf-script text, as recordings are written (docs/perf-script-format.md): the samples
// in the order of time, categories as outermost frames, every metric with its change.
// Read back it is the same profile: what the lines cannot say stands in comments, which
// import/script_notes.h takes.
#include "export/export_format.h"
#include "export/script_frames.h"
#include "model/metric_unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 << 10, MAX_BYTES = 1 << 30, MAX_NAMES_BYTES = 1 << 24 };

struct script {
    const struct selection *selection;
    const struct profile *profile;
    const struct byte_output *output;
    struct error *err;
    struct script_frames frames;
    const struct profile_column *columns[PROFILE_MAX_METRICS][PROFILE_FORM_CNT];
    struct byte_buffer names; // of the metrics, escaped
    struct text metric_names[PROFILE_MAX_METRICS];
    struct perf_script_metric metrics[PROFILE_MAX_METRICS]; // of the present row
    struct number_map told_of_tid;                          // index + 1
    string_id *told; // first words that lines cannot show, as they were told last
    uint32_t told_cnt;
    uint32_t told_capacity;
    uint64_t last_row;
    bool has_words;
    bool has_period;
    char process[PROFILE_DIGITS_BYTES];
    struct byte_buffer out;
};

static bool flush(struct script *script, size_t at_least)
{
    if (script->out.overflowed) {
        return error_set(script->err, ERROR_NO_MEMORY, "export: out of memory");
    }
    if (script->out.len < at_least) {
        return true;
    }
    bool ok = byte_output_write(script->output, script->out.bytes, script->out.len, script->err);
    byte_buffer_clear(&script->out);
    return ok;
}

// --- the head -----------------------------------------------------------------

static bool name_metrics(struct script *script)
{
    size_t ends[PROFILE_MAX_METRICS];
    for (uint32_t m = 0; m < script->profile->metric_cnt; m++) {
        struct text name = profile_text(script->profile, script->profile->metrics[m].name);
        if (!perf_script_text_metric_name(&script->names, name)) {
            return error_set(script->err, ERROR_NO_MEMORY, "export: names of metrics are too long");
        }
        ends[m] = script->names.len;
    }
    for (uint32_t m = 0; m < script->profile->metric_cnt; m++) {
        size_t begin = m == 0 ? 0 : ends[m - 1];
        script->metric_names[m] =
            (struct text){script->names.bytes + begin, (uint32_t)(ends[m] - begin)};
    }
    return true;
}

static bool open_columns(struct script *script)
{
    for (uint32_t m = 0; m < script->profile->metric_cnt; m++) {
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            script->columns[m][form] =
                profile_metric_column(script->profile, m, (enum profile_form)form, script->err);
            if (script->columns[m][form] == NULL) {
                return false;
            }
        }
    }
    return true;
}

static void write_facts(struct script *script, bool footers)
{
    const struct profile_source *source = &script->profile->sources[0];
    for (uint32_t i = 0; i < source->fact_cnt; i++) {
        if (source->facts[i].is_footer == footers) {
            (void)perf_script_text_field(&script->out,
                                         profile_text(script->profile, source->facts[i].key),
                                         profile_text(script->profile, source->facts[i].value));
        }
    }
}

// Those that readers could not tell from their names.
static void write_metrics(struct script *script)
{
    for (uint32_t m = 0; m < script->profile->metric_cnt; m++) {
        const struct profile_metric *metric = &script->profile->metrics[m];
        struct text unit = profile_text(script->profile, metric->unit);
        struct text name = script->metric_names[m];
        if (metric->has_delta && text_equal(unit, metric_unit(name))) {
            continue;
        }
        char value[WEIGHT_NAME_BYTES];
        int len = snprintf(value, sizeof value, "%.*s%s", (int)unit.len, unit.bytes,
                           metric->has_delta ? "" : ", no delta");
        bool fits = len < (int)sizeof value;
        char key[WEIGHT_NAME_BYTES];
        len = snprintf(key, sizeof key, "metric %.*s", (int)name.len, name.bytes);
        if (fits && len < (int)sizeof key) {
            (void)perf_script_text_field(&script->out, text_of(key), text_of(value));
        }
    }
}

static bool has_values(const struct profile *profile, uint32_t dimension)
{
    return profile->dimensions[dimension].value_cnt > 1;
}

// What no sample has, and a line must have.
static void write_absent(struct script *script)
{
    const struct profile *profile = script->profile;
    char names[64];
    bool has_tid = has_values(profile, PROFILE_TID);
    (void)snprintf(names, sizeof names, "%s%s%s%s",
                   has_values(profile, PROFILE_EVENT) ? "" : " event",
                   script->has_words ? "" : " comm",
                   has_values(profile, PROFILE_PID) || has_tid ? "" : " pid", // may be left out
                   has_tid ? "" : " tid");
    if (names[0] != '\0') {
        (void)perf_script_text_field(&script->out, TEXT("absent"), text_of(names + 1));
    }
}

// Those whose categories were no root frames.
static void write_labels(struct script *script)
{
    const struct profile *profile = script->profile;
    for (uint32_t d = PROFILE_FIXED_DIMENSION_CNT; d < profile->dimension_cnt; d++) {
        const struct profile_dimension *dimension = &profile->dimensions[d];
        if (dimension->is_root_frame || dimension->value_cnt < 2) {
            continue;
        }
        struct text name = profile_text(profile, dimension->name);
        struct byte_buffer *kind = &script->frames.name;
        byte_buffer_clear(kind);
        (void)byte_buffer_append_text(kind, TEXT("label "));
        script_frames_kind(kind, name);
        struct text key = {kind->bytes, (uint32_t)kind->len};
        bool is_number = dimension->kind == PROFILE_DIMENSION_NUMBER;
        char value[WEIGHT_NAME_BYTES];
        int len = snprintf(value, sizeof value, "%.*s%s", (int)name.len, name.bytes,
                           is_number ? ", number" : "");
        if (len < (int)sizeof value) {
            (void)perf_script_text_field(&script->out, key, text_of(value));
        }
    }
}

// --- samples ------------------------------------------------------------------

static uint32_t number_of(const struct script *script, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(script->profile, dimension, row);
    return code == 0 ? 0 : (uint32_t)script->profile->dimensions[dimension].values[code];
}

static string_id string_of_row(const struct script *script, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(script->profile, dimension, row);
    return code == 0 ? 0 : (string_id)script->profile->dimensions[dimension].values[code];
}

static string_id word_of_row(const struct script *script, uint64_t row)
{
    static const uint32_t DIMENSIONS[] = {PROFILE_STATUS, PROFILE_STATE, PROFILE_COMM};
    string_id word = 0;
    for (size_t i = 0; i < sizeof DIMENSIONS / sizeof DIMENSIONS[0] && word == 0; i++) {
        word = string_of_row(script, DIMENSIONS[i], row);
    }
    return word;
}

// What was told last of a thread; NULL when nothing was, and there is no memory to tell.
static string_id *told_of(struct script *script, uint32_t tid, bool adds)
{
    uint32_t idx = number_map_find(&script->told_of_tid, tid);
    if (idx != 0 || !adds) {
        return idx == 0 ? NULL : &script->told[idx - 1];
    }
    if (script->told_cnt == script->told_capacity) {
        uint32_t capacity = script->told_capacity == 0 ? 64 : script->told_capacity * 2;
        string_id *more = realloc(script->told, capacity * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        script->told = more;
        script->told_capacity = capacity;
    }
    if (!number_map_add(&script->told_of_tid, tid, script->told_cnt + 1)) {
        return NULL;
    }
    script->told[script->told_cnt] = UINT32_MAX;
    return &script->told[script->told_cnt++];
}

// `comm TID: WORD` before a line that cannot show it.
static bool tell_word(struct script *script, uint32_t tid, string_id word)
{
    struct text text = profile_text(script->profile, word);
    string_id *told = told_of(script, tid, !perf_script_text_shows(text));
    if (told == NULL || *told == word) {
        return true;
    }
    char key[32];
    *told = word;
    (void)snprintf(key, sizeof key, "comm %u", tid);
    return perf_script_text_field(&script->out, text_of(key), text);
}

// A thread without its process stands alone.
static struct text process_of_row(struct script *script, uint32_t tid, uint64_t row)
{
    if (profile_code(script->profile, PROFILE_PID, row) != 0) {
        return TEXT("");
    }
    int len = snprintf(script->process, sizeof script->process, "%u", tid);
    return (struct text){script->process, (uint32_t)len};
}

static uint32_t take_metrics(struct script *script, uint64_t row)
{
    uint32_t cnt = 0;
    for (uint32_t m = 0; m < script->profile->metric_cnt; m++) {
        if (profile_metric_present(&script->profile->metrics[m], row)) {
            script->metrics[cnt++] = (struct perf_script_metric){
                script->metric_names[m], profile_column_at(script->columns[m][PROFILE_VALUE], row),
                profile_column_at(script->columns[m][PROFILE_DELTA], row)};
        }
    }
    return cnt;
}

// Flamescope's heatmap cannot take a last sample on a full second.
static uint64_t time_of_row(const struct script *script, uint64_t row)
{
    uint64_t time_ns = script->profile->time_ns[row];
    bool is_full = time_ns % CLOCK_NS_PER_S == 0;
    return is_full && row == script->last_row ? time_ns + CLOCK_NS_PER_US : time_ns;
}

static bool tell_time(struct script *script, uint64_t row, uint64_t shown_ns)
{
    char digits[PROFILE_DIGITS_BYTES];
    if (shown_ns == script->profile->time_ns[row]) {
        return true;
    }
    (void)snprintf(digits, sizeof digits, "%" PRIu64, script->profile->time_ns[row]);
    return perf_script_text_field(&script->out, TEXT("time_ns"), text_of(digits));
}

static bool write_row(struct script *script, uint64_t row)
{
    int64_t period = profile_column_at(&script->profile->period, row);
    string_id word = script->has_words ? word_of_row(script, row) : 0;
    struct perf_script_event event = {
        .category = profile_text(script->profile, word),
        .pid = number_of(script, PROFILE_PID, row),
        .tid = number_of(script, PROFILE_TID, row),
        .cpu = number_of(script, PROFILE_CPU, row),
        .has_cpu = profile_code(script->profile, PROFILE_CPU, row) != 0,
        .time_ns = time_of_row(script, row),
        .has_period = script->has_period ? PERF_SCRIPT_HAS_PERIOD : PERF_SCRIPT_NO_PERIOD,
        .period = period > 0 ? (uint64_t)period : 0,
        .event_name = profile_text(script->profile, string_of_row(script, PROFILE_EVENT, row)),
        .metrics = script->metrics,
        .metric_cnt = take_metrics(script, row),
    };
    event.process = process_of_row(script, event.tid, row);
    return (!script->has_words || tell_word(script, event.tid, word)) &&
           tell_time(script, row, event.time_ns) && perf_script_text_event(&script->out, &event) &&
           script_frames_append(&script->frames, row, &script->out) &&
           byte_buffer_append_char(&script->out, '\n');
}

static bool write_rows(struct script *script)
{
    const struct selection *selection = script->selection;
    for (uint64_t row = selection->first; row < selection->end; row++) {
        if (!selection_has(selection, row)) {
            continue;
        }
        if (!write_row(script, row)) {
            return error_set(script->err, ERROR_NO_MEMORY, "export: out of memory");
        }
        if (!flush(script, BLOCK_BYTES)) {
            return false;
        }
    }
    return true;
}

static uint64_t last_row_of(const struct selection *selection)
{
    uint64_t row = selection->end;
    while (row > selection->first && !selection_has(selection, row - 1)) {
        row--;
    }
    return row == selection->first ? UINT64_MAX : row - 1;
}

static bool write_all(struct script *script)
{
    const struct profile *profile = script->profile;
    if (!open_columns(script) || !name_metrics(script)) {
        return false;
    }
    (void)perf_script_text_begin(&script->out);
    write_facts(script, false);
    write_metrics(script);
    write_labels(script);
    write_absent(script);
    if (!write_rows(script)) {
        return false;
    }
    // Of a part, or of several sources, they would not be true, or not told apart.
    if (profile->source_cnt == 1 && script->selection->row_cnt == profile->row_cnt) {
        write_facts(script, true);
    } else if (profile_fact(profile, 0, TEXT("flame_prof")).len > 0) {
        (void)perf_script_text_field(&script->out, TEXT("end"), TEXT("exported"));
    }
    return flush(script, 0);
}

bool export_perf_script(const struct export_request *request, const struct byte_output *output,
                        struct error *err)
{
    const struct profile *profile = request->selection->profile;
    struct script *script = calloc(1, sizeof *script);
    if (script == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    script->selection = request->selection;
    script->profile = profile;
    script->output = output;
    script->err = err;
    script->last_row = last_row_of(request->selection);
    script->has_words = has_values(profile, PROFILE_STATUS) || has_values(profile, PROFILE_STATE) ||
                        has_values(profile, PROFILE_COMM);
    script->has_period = profile->period.min != 0 || profile->period.max != 0;
    byte_buffer_init(&script->names, MAX_NAMES_BYTES);
    byte_buffer_init(&script->out, MAX_BYTES);
    bool has_frames = script_frames_init(&script->frames, profile) ||
                      error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    bool ok = has_frames && write_all(script);
    script_frames_deinit(&script->frames);
    byte_buffer_deinit(&script->names);
    byte_buffer_deinit(&script->out);
    number_map_deinit(&script->told_of_tid);
    free(script->told);
    free(script);
    return ok;
}

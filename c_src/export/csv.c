// SPDX-License-Identifier: Apache-2.0
// One line per sample (RFC 4180): its time, period, categories, the value and delta of
// every metric, empty where it has none.
#include "export/export_format.h"
#include "export/text_output.h"

#include <stdlib.h>

struct csv {
    struct text_output text;
    const struct profile *profile;
    const struct profile_column *columns[PROFILE_MAX_METRICS][PROFILE_FORM_CNT];
};

static void write_field(struct text_output *text, struct text field)
{
    bool is_quoted = false;
    for (uint32_t i = 0; i < field.len && !is_quoted; i++) {
        is_quoted = strchr(",\"\r\n", field.bytes[i]) != NULL;
    }
    if (!is_quoted) {
        text_output_text(text, field);
        return;
    }
    text_output_char(text, '"');
    for (uint32_t i = 0; i < field.len; i++) {
        if (field.bytes[i] == '"') {
            text_output_char(text, '"');
        }
        text_output_char(text, field.bytes[i]);
    }
    text_output_char(text, '"');
}

static bool is_shown(const struct profile *profile, uint32_t dimension)
{
    return profile->dimensions[dimension].value_cnt > 1;
}

static bool open_columns(struct csv *csv, struct error *err)
{
    for (uint32_t i = 0; i < csv->profile->metric_cnt; i++) {
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            csv->columns[i][form] =
                profile_metric_column(csv->profile, i, (enum profile_form)form, err);
            if (csv->columns[i][form] == NULL) {
                return false;
            }
        }
    }
    return true;
}

static void write_head(struct csv *csv)
{
    const struct profile *profile = csv->profile;
    text_output_string(&csv->text, "time_ns,period,leaf");
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        if (is_shown(profile, i)) {
            text_output_char(&csv->text, ',');
            write_field(&csv->text, profile_text(profile, profile->dimensions[i].name));
        }
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        text_output_char(&csv->text, ',');
        write_field(&csv->text, profile_text(profile, profile->metrics[i].name));
        text_output_char(&csv->text, ',');
        write_field(&csv->text, profile_text(profile, profile->metrics[i].name));
        text_output_string(&csv->text, "_delta");
    }
    text_output_char(&csv->text, '\n');
}

static void write_metrics(struct csv *csv, uint64_t row)
{
    for (uint32_t i = 0; i < csv->profile->metric_cnt; i++) {
        bool is_there = profile_metric_present(&csv->profile->metrics[i], row);
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            text_output_char(&csv->text, ',');
            if (is_there) {
                text_output_i64(&csv->text, profile_column_at(csv->columns[i][form], row));
            }
        }
    }
}

static void write_row(struct csv *csv, uint64_t row)
{
    char digits[PROFILE_DIGITS_BYTES];
    const struct profile *profile = csv->profile;
    frame_id leaf = profile->dictionary.nodes[profile->stack[row]].frame;
    text_output_u64(&csv->text, profile->time_ns[row]);
    text_output_char(&csv->text, ',');
    text_output_i64(&csv->text, profile_column_at(&profile->period, row));
    text_output_char(&csv->text, ',');
    write_field(&csv->text, profile_text(profile, profile->dictionary.frames[leaf].name));
    for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
        if (is_shown(profile, i)) {
            uint32_t code = profile_code(profile, i, row);
            text_output_char(&csv->text, ',');
            if (code != 0) {
                write_field(&csv->text, profile_code_text(profile, i, code, digits));
            }
        }
    }
    write_metrics(csv, row);
    text_output_char(&csv->text, '\n');
}

bool export_csv(const struct export_request *request, const struct byte_output *output,
                struct error *err)
{
    const struct selection *selection = request->selection;
    struct csv *csv = calloc(1, sizeof *csv);
    if (csv == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    csv->profile = selection->profile;
    text_output_init(&csv->text, output, err);
    bool ok = open_columns(csv, err);
    if (ok) {
        write_head(csv);
        for (uint64_t row = selection->first; row < selection->end; row++) {
            if (selection_has(selection, row) && !csv->text.has_failed) {
                write_row(csv, row);
            }
        }
        ok = text_output_finish(&csv->text);
    }
    free(csv);
    return ok;
}

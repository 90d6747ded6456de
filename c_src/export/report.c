// SPDX-License-Identifier: Apache-2.0
#include "export/report.h"

#include "export/report_facts.h"
#include "export/text_output.h"
#include "query/event_selection.h"
#include "query/query_table.h"
#include "query/tid_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_EVENTS = 16, MAX_STATES = 12, SHARE_CELLS = 18 };

struct report {
    struct text_output text;
    const struct report_options *options;
    const struct selection *all;
    struct selection event; // what a section is about
    struct weight weight;   // of its tables
    char weight_name[WEIGHT_NAME_BYTES];
};

// --- numbers ----------------------------------------------------------------------

static void write_grouped(struct text_output *text, uint64_t value)
{
    if (value >= 1000) {
        write_grouped(text, value / 1000);
        text_output_format(text, ",%03u", (unsigned)(value % 1000));
    } else {
        text_output_u64(text, value);
    }
}

// Of the sum of the magnitudes: with gains and drops the shares of all need not be 100 %.
static double percent(const struct query_table *table, int64_t weight)
{
    return table->magnitude == 0 ? 0 : 100.0 * (double)weight / (double)table->magnitude;
}

static void write_wall_time(struct text_output *text, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / CLOCK_NS_PER_S);
    struct tm tm;
    char written[64];
    if (unix_ns != 0 && gmtime_r(&seconds, &tm) != NULL &&
        strftime(written, sizeof written, ", from %Y-%m-%d %H:%M:%S UTC", &tm) > 0) {
        text_output_string(text, written);
    }
}

// --- a section --------------------------------------------------------------------

// Work rather than time, of processes that mostly wait.
static struct weight weight_that_says_most(const struct selection *selection, bool is_wall)
{
    const struct profile *profile = selection->profile;
    int metric = profile_find_metric(profile, TEXT("erlang_reductions"));
    return is_wall && metric != PROFILE_NONE ? (struct weight){WEIGHT_INCREASE, (uint32_t)metric}
                                             : weight_default(profile);
}

static bool choose_weight(struct report *report, bool is_wall, struct error *err)
{
    char name[WEIGHT_NAME_BYTES];
    struct query_table table;
    report->weight = report->options->has_weight ? report->options->weight
                                                 : weight_that_says_most(&report->event, is_wall);
    if (!query_table_dimension(&table, &report->event, report->weight, PROFILE_EVENT, err)) {
        return false;
    }
    if (table.magnitude == 0 && !report->options->has_weight) {
        report->weight = weight_default(report->event.profile);
    }
    query_table_deinit(&table);
    (void)snprintf(report->weight_name, sizeof report->weight_name, "%s",
                   weight_name(report->event.profile, report->weight, name));
    return true;
}

static void write_head(struct report *report, struct text event, uint32_t tid_cnt)
{
    struct text_output *text = &report->text;
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    selection_times(&report->event, &first_ns, &last_ns);
    text_output_char(text, '\n');
    (void)text_output_cells(text, event.len > 0 ? event : TEXT("samples"), report->options->width);
    text_output_string(text, ": ");
    write_grouped(text, report->event.row_cnt);
    text_output_string(text, " samples of ");
    write_grouped(text, tid_cnt);
    text_output_format(text, " %s in %.1f s",
                       text_equal(event, TEXT("beam-wall")) ? "processes" : "processes or threads",
                       (double)(last_ns - first_ns) / 1e9);
    write_wall_time(text, profile_unix_ns(report->event.profile, first_ns));
    text_output_char(text, '\n');
}

// The shares of a status or a state, by time.
static bool write_states(struct report *report, uint32_t dimension, struct error *err)
{
    const struct profile *profile = report->event.profile;
    char digits[PROFILE_DIGITS_BYTES];
    struct query_table table;
    if (!query_table_dimension(&table, &report->event, weight_default(profile), dimension, err)) {
        return false;
    }
    bool is_known = table.row_cnt > 1 || (table.row_cnt == 1 && table.rows[0].id != 0);
    for (uint32_t i = 0; is_known && i < table.row_cnt && i < MAX_STATES; i++) {
        struct text name = profile_code_text(profile, dimension, table.rows[i].id, digits);
        text_output_string(&report->text, i > 0                         ? "  "
                                          : dimension == PROFILE_STATUS ? "status     "
                                                                        : "state      ");
        (void)text_output_cells(&report->text, name.len > 0 ? name : TEXT("-"), 40);
        text_output_format(&report->text, " %.1f %%", percent(&table, table.rows[i].self));
    }
    text_output_string(&report->text, is_known ? "\n" : "");
    query_table_deinit(&table);
    return true;
}

static void write_rest(struct report *report, const struct query_table *table)
{
    if (table->row_cnt > report->options->max_rows) {
        text_output_string(&report->text, "                    ... ");
        write_grouped(&report->text, table->row_cnt - report->options->max_rows);
        text_output_string(&report->text, " more\n");
    }
    if (table->lacking_cnt > 0) {
        text_output_string(&report->text, "                    ");
        write_grouped(&report->text, table->lacking_cnt);
        text_output_string(&report->text, " samples do not have this metric\n");
    }
}

static void write_function(struct report *report, const struct query_table *table,
                           const struct table_row *row)
{
    const struct profile *profile = report->event.profile;
    const struct profile_frame *frame = &profile->dictionary.frames[row->id];
    struct text name = row->id == 0 ? TEXT("[no stack]") : profile_text(profile, frame->name);
    text_output_format(&report->text, "%7.1f %% %7.1f %%  ", percent(table, row->self),
                       percent(table, row->total));
    (void)text_output_cells(&report->text, name, report->options->width - SHARE_CELLS - 2);
    text_output_char(&report->text, '\n');
}

static bool write_functions(struct report *report, struct error *err)
{
    struct query_table table;
    if (!query_table_functions(&table, &report->event, report->weight, err)) {
        return false;
    }
    text_output_format(&report->text, "\n%9s %9s  FUNCTION, by %s\n", "SELF", "TOTAL",
                       report->weight_name);
    for (uint32_t i = 0; i < table.row_cnt && i < report->options->max_rows; i++) {
        write_function(report, &table, &table.rows[i]);
    }
    write_rest(report, &table);
    query_table_deinit(&table);
    return true;
}

static void write_process(struct report *report, const struct query_table *table,
                          const struct table_row *row, const struct tid_labels *labels)
{
    char digits[PROFILE_DIGITS_BYTES];
    char name_digits[PROFILE_DIGITS_BYTES];
    struct text number = profile_code_text(report->event.profile, PROFILE_TID, row->id, digits);
    struct text name = tid_labels_text(labels, row->id, name_digits);
    if (number.len == 0 || text_equal(number, TEXT("0"))) {
        number = TEXT("-");
        name = TEXT("no process");
    }
    text_output_format(&report->text, "%7.1f %% ", percent(table, row->self));
    text_output_format(&report->text, "%9.*s  ", (int)number.len, number.bytes);
    (void)text_output_cells(&report->text, name, report->options->width - SHARE_CELLS - 3);
    text_output_char(&report->text, '\n');
}

static bool write_processes(struct report *report, const struct tid_labels *labels,
                            struct error *err)
{
    struct query_table table;
    if (!query_table_dimension(&table, &report->event, report->weight, PROFILE_TID, err)) {
        return false;
    }
    text_output_format(&report->text, "\n%9s %9s  PROCESS, by %s\n", "SHARE", "NUMBER",
                       report->weight_name);
    for (uint32_t i = 0; i < table.row_cnt && i < report->options->max_rows; i++) {
        write_process(report, &table, &table.rows[i], labels);
    }
    write_rest(report, &table);
    query_table_deinit(&table);
    return true;
}

static bool count_tids(const struct report *report, uint32_t *cnt, struct error *err)
{
    struct query_table table;
    struct weight samples = {WEIGHT_SAMPLES, 0};
    if (!query_table_dimension(&table, &report->event, samples, PROFILE_TID, err)) {
        return false;
    }
    *cnt = table.row_cnt;
    query_table_deinit(&table);
    return true;
}

static bool write_section(struct report *report, struct text event, struct error *err)
{
    struct tid_labels labels = {.of_tid = NULL};
    uint32_t tid_cnt = 0;
    bool is_wall = text_equal(event, TEXT("beam-wall"));
    if (!choose_weight(report, is_wall, err) || !count_tids(report, &tid_cnt, err)) {
        return false;
    }
    write_head(report, event, tid_cnt);
    report_facts_losses(&report->text, report->event.profile, event, report->options->width);
    bool ok = tid_labels_init(&labels, &report->event, err) &&
              write_states(report, PROFILE_STATUS, err) &&
              write_states(report, PROFILE_STATE, err) && write_functions(report, err) &&
              write_processes(report, &labels, err);
    tid_labels_deinit(&labels);
    return ok;
}

// --- all of it --------------------------------------------------------------------

static bool write_sections(struct report *report, struct error *err)
{
    const struct profile *profile = report->all->profile;
    char digits[PROFILE_DIGITS_BYTES];
    uint32_t value_cnt = profile->dimensions[PROFILE_EVENT].value_cnt;
    uint32_t cnt = value_cnt < 1 ? 1 : value_cnt < MAX_EVENTS ? value_cnt : MAX_EVENTS;
    bool ok = true;
    for (uint32_t code = 0; ok && code < cnt; code++) {
        ok = event_selection_init(&report->event, report->all, code, err);
        if (ok && report->event.row_cnt > 0) {
            ok =
                write_section(report, profile_code_text(profile, PROFILE_EVENT, code, digits), err);
        }
        selection_deinit(&report->event);
    }
    return ok;
}

bool report_write(const struct selection *selection, const struct report_options *options,
                  const struct byte_output *output, struct error *err)
{
    struct report *report = calloc(1, sizeof *report);
    if (report == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "report: out of memory");
    }
    report->options = options;
    report->all = selection;
    text_output_init(&report->text, output, err);
    report_facts_origin(&report->text, selection->profile, options->width);
    bool ok = write_sections(report, err);
    ok = ok && text_output_finish(&report->text);
    free(report);
    return ok;
}

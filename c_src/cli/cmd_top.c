// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/file_output.h"
#include "cli/number_text.h"
#include "cli/profile_file.h"
#include "cli/profile_totals.h"
#include "cli/top_options.h"
#include "export/json_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct top_run {
    struct top_options options;
    struct profile_totals totals;
    uint64_t malformed_cnt;
    uint64_t dropped_cnt;
    bool has_ns; // the header says that periods are nanoseconds
};

static void add_event(void *context, const struct perf_script_event *event)
{
    struct top_run *run = context;
    profile_totals_add(&run->totals, event);
}

static void take_field(void *context, struct text key, struct text value)
{
    struct top_run *run = context;
    if (text_equal(key, TEXT("period_unit")) && text_equal(value, TEXT("ns"))) {
        run->has_ns = true;
    }
}

// --- weights as text ----------------------------------------------------------

// perf's clocks count nanoseconds, too.
static bool is_time(const struct top_run *run)
{
    const char *name = run->totals.event_name;
    bool is_clock = strncmp(name, "cpu-clock", 9) == 0 || strncmp(name, "task-clock", 10) == 0;
    return run->options.weight == TOP_WEIGHT_PERIOD && (run->has_ns || is_clock) &&
           run->totals.with_period_cnt == run->totals.event_cnt;
}

static const char *weight_text(const struct top_run *run, int64_t weight,
                               char text[NUMBER_TEXT_BYTES])
{
    if (!is_time(run)) {
        return number_text_grouped(weight, text);
    }
    (void)snprintf(text, NUMBER_TEXT_BYTES, "%.3f s", (double)weight / 1e9);
    return text;
}

static double share(const struct top_run *run, int64_t weight)
{
    uint64_t all = run->totals.magnitude;
    return all == 0 ? 0 : 100.0 * (double)weight / (double)all;
}

// --- output -------------------------------------------------------------------

static void print_row(const struct top_run *run, enum top_key key, const struct profile_row *row)
{
    char self[NUMBER_TEXT_BYTES];
    char total[NUMBER_TEXT_BYTES];
    (void)printf("%16s %5.1f %%", weight_text(run, row->self, self), share(run, row->self));
    if (key == TOP_KEY_FUNCTION) {
        (void)printf(" %16s %5.1f %%", weight_text(run, row->total, total), share(run, row->total));
    }
    (void)fputs("  ", stdout);
    profile_file_print_text(row->key);
    if (row->label.len > 0) {
        (void)fputs("  ", stdout);
        profile_file_print_text(row->label);
    }
    (void)putchar('\n');
}

static void print_table(const struct top_run *run, enum top_key key)
{
    uint32_t cnt = 0;
    const struct profile_row *rows = profile_table_sorted(run->totals.tables[key], &cnt);
    uint32_t shown = cnt < run->options.max_rows ? cnt : run->options.max_rows;
    if (key == TOP_KEY_FUNCTION) {
        (void)printf("\n%16s %7s %16s %7s  %s\n", "self", "", "total", "", top_key_name(key));
    } else {
        (void)printf("\n%16s %7s  %s\n", "weight", "", top_key_name(key));
    }
    for (uint32_t i = 0; i < shown; i++) {
        print_row(run, key, &rows[i]);
    }
    if (shown < cnt) {
        (void)printf("%24s  ... %" PRIu32 " more (-n shows them)\n", "", cnt - shown);
    }
}

static void print_what(const struct top_run *run)
{
    static const char *const WHAT[] = {
        [TOP_WEIGHT_METRIC_VALUE] = "values of ",
        [TOP_WEIGHT_METRIC_DELTA] = "changes of ",
    };
    if (run->options.weight != TOP_WEIGHT_PERIOD) {
        (void)fputs(WHAT[run->options.weight], stdout);
        profile_file_print_text(text_of(run->options.metric));
    } else if (run->totals.with_period_cnt == 0) {
        (void)fputs("samples (the file has no periods)", stdout);
    } else {
        profile_file_print_text(text_of(run->totals.event_name));
    }
}

static void print_head(const struct top_run *run)
{
    char text[NUMBER_TEXT_BYTES];
    const struct profile_totals *totals = &run->totals;
    (void)printf("%s samples over %.3f s, ", number_text_grouped((int64_t)totals->event_cnt, text),
                 (double)(totals->last_ns - totals->first_ns) / 1e9);
    (void)printf("%s of ", weight_text(run, totals->weight, text));
    print_what(run);
    (void)putchar('\n');
    if (run->malformed_cnt > 0) {
        (void)printf("%" PRIu64 " lines could not be read and were left out\n", run->malformed_cnt);
    }
    if (run->dropped_cnt > 0) {
        (void)printf("%" PRIu64 " frames or metrics beyond the limits were left out\n",
                     run->dropped_cnt);
    }
    if (totals->no_metric_cnt > 0) {
        (void)printf("%" PRIu64 " samples do not have this metric\n", totals->no_metric_cnt);
    }
}

static void print_all(struct top_run *run)
{
    print_head(run);
    for (int key = 0; key < TOP_KEY_CNT && run->totals.event_cnt > 0; key++) {
        if (run->totals.tables[key] != NULL) {
            print_table(run, (enum top_key)key);
        }
    }
    (void)fflush(stdout);
}

// --- as JSON ------------------------------------------------------------------

static void write_row(struct json_output *json, enum top_key key, const struct profile_row *row)
{
    json_output_open(json, NULL, '{');
    json_output_text(json, "name", row->key);
    if (row->label.len > 0) {
        json_output_text(json, "label", row->label);
    }
    json_output_i64(json, "self", row->self);
    if (key == TOP_KEY_FUNCTION) {
        json_output_i64(json, "total", row->total);
    }
    json_output_u64(json, "samples", row->sample_cnt);
    json_output_close(json, '}');
}

static void write_table(struct json_output *json, const struct top_run *run, enum top_key key)
{
    uint32_t cnt = 0;
    const struct profile_row *rows = profile_table_sorted(run->totals.tables[key], &cnt);
    json_output_open(json, top_key_name(key), '{');
    json_output_u64(json, "count", cnt);
    json_output_open(json, "rows", '[');
    for (uint32_t i = 0; i < cnt && i < run->options.max_rows; i++) {
        write_row(json, key, &rows[i]);
    }
    json_output_close(json, ']');
    json_output_close(json, '}');
}

static void write_head(struct json_output *json, const struct top_run *run)
{
    static const char *const FORMS[] = {
        [TOP_WEIGHT_PERIOD] = "period",
        [TOP_WEIGHT_METRIC_VALUE] = "value",
        [TOP_WEIGHT_METRIC_DELTA] = "delta",
    };
    const struct profile_totals *totals = &run->totals;
    bool is_period = run->options.weight == TOP_WEIGHT_PERIOD;
    const char *name = is_period ? totals->event_name : run->options.metric;
    const char *form =
        is_period && totals->with_period_cnt == 0 ? "samples" : FORMS[run->options.weight];
    json_output_text(json, "weight", text_of(name));
    json_output_text(json, "form", text_of(form));
    json_output_text(json, "unit", text_of(is_time(run) ? "nanoseconds" : ""));
    json_output_u64(json, "samples", totals->event_cnt);
    json_output_u64(json, "duration_ns", totals->last_ns - totals->first_ns);
    json_output_i64(json, "total", totals->weight);
    json_output_u64(json, "magnitude", totals->magnitude);
    json_output_u64(json, "lacking", totals->no_metric_cnt);
    json_output_u64(json, "malformed_lines", run->malformed_cnt);
    json_output_u64(json, "dropped", run->dropped_cnt);
}

static int write_json(const struct top_run *run)
{
    static struct json_output json;
    struct error err = {0};
    struct file_output file;
    if (!file_output_open(&file, NULL, &err)) {
        return command_failed(&err);
    }
    json_output_init(&json, &file.output, &err);
    json_output_open(&json, NULL, '{');
    write_head(&json, run);
    json_output_open(&json, "tables", '{');
    for (int key = 0; key < TOP_KEY_CNT; key++) {
        if (run->totals.tables[key] != NULL) {
            write_table(&json, run, (enum top_key)key);
        }
    }
    json_output_close(&json, '}');
    json_output_close(&json, '}');
    bool ok = json_output_finish(&json);
    return file_output_close(&file, ok, ok ? &err : NULL) && ok ? EXIT_CODE_DONE
                                                                : command_failed(&err);
}

// --- the command --------------------------------------------------------------

static int read_filtered(struct top_run *run, const struct perf_script_handler *handler)
{
    struct error err = {0};
    struct perf_script_stats stats = {0};
    struct filter *filter = run->options.filter == NULL
                                ? NULL
                                : filter_create(text_of(run->options.filter), NULL, &err);
    bool ok = (filter != NULL || run->options.filter == NULL) &&
              profile_file_read_some(run->options.files, run->options.file_cnt, &run->options.range,
                                     filter, handler, &stats, &err);
    filter_destroy(filter);
    run->malformed_cnt = stats.malformed_line_cnt;
    run->dropped_cnt = stats.dropped_cnt;
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

static int read_files(struct top_run *run)
{
    int exit_code = EXIT_CODE_DONE;
    struct perf_script_handler handler = {add_event, take_field, run};
    if (run->options.filter != NULL || run->options.range.from_ns > 0 ||
        run->options.range.to_ns < UINT64_MAX) {
        return read_filtered(run, &handler);
    }
    for (int i = 0; i < run->options.file_cnt; i++) {
        struct error err = {0};
        struct perf_script_stats stats;
        if (!profile_file_read(run->options.files[i], &handler, &stats, &err)) {
            exit_code = command_failed(&err);
        }
        run->malformed_cnt += stats.malformed_line_cnt;
        run->dropped_cnt += stats.dropped_cnt;
    }
    return exit_code;
}

static int show(struct top_run *run)
{
    if (!profile_totals_init(&run->totals, &run->options)) {
        struct error err = {0};
        (void)error_set(&err, ERROR_NO_MEMORY, "top: out of memory");
        return command_failed(&err);
    }
    int exit_code = read_files(run);
    if (exit_code == EXIT_CODE_DONE && run->options.is_json) {
        exit_code = write_json(run);
    } else if (!run->options.is_json &&
               (run->totals.event_cnt > 0 || exit_code == EXIT_CODE_DONE)) {
        print_all(run);
    }
    if (run->totals.event_cnt == 0 && exit_code == EXIT_CODE_DONE) {
        (void)fputs("flameprof: no sample in there that fits\n", stderr);
        exit_code = EXIT_CODE_EMPTY;
    }
    return exit_code;
}

int cmd_top(int argc, char **argv)
{
    struct error err = {0};
    struct top_run run = {.has_ns = false};
    if (!top_options_parse(&run.options, argc, argv, &err)) {
        return command_misused("top", &err);
    }
    if (run.options.action == TOP_ACTION_HELP) {
        (void)fputs(top_options_help(), stdout);
        return EXIT_CODE_DONE;
    }
    int exit_code = show(&run);
    profile_totals_deinit(&run.totals);
    return exit_code;
}

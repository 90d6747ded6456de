// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/file_output.h"
#include "cli/profile_facts.h"
#include "cli/profile_file.h"
#include "cli/view_options.h"
#include "export/json_output.h"

#include <inttypes.h>
#include <stdio.h>

struct info_run {
    struct view_options options;
    struct filter *filter;
    struct json_output *json;    // NULL: as text
    struct profile_facts *facts; // of the present file
};

static void print_help(void)
{
    (void)puts("usage: flameprof info [OPTIONS] FILE...\n"
               "\n"
               "Shows what is in a capture or perf-script text (plain, .gz, or - for standard\n"
               "input), one `key: value` per line: header and footer, lines that could not be\n"
               "read, events, the sum of all periods, the sums of each metric (value, delta),\n"
               "first and last time, the largest gap between two events, and how many buckets of\n"
               "20 ms between them hold no event.\n");
    view_options_print_help(VIEW_INFO);
    (void)puts("\nexamples\n"
               "  flameprof info host.fpc\n"
               "  flameprof info --filter 'status=running' --from 10 --to 20 --json beam.fpc");
}

static void take_field(void *context, struct text key, struct text value)
{
    struct info_run *run = context;
    if (run->json != NULL) {
        json_output_open(run->json, NULL, '{');
        json_output_text(run->json, "key", key);
        json_output_text(run->json, "value", value);
        json_output_close(run->json, '}');
        return;
    }
    (void)fputs("header ", stdout);
    profile_file_print_text(key);
    (void)fputs(": ", stdout);
    profile_file_print_text(value);
    (void)putchar('\n');
}

static void add_event(void *context, const struct perf_script_event *event)
{
    struct info_run *run = context;
    profile_facts_add(run->facts, event);
}

// --- as text ------------------------------------------------------------------

static void print_time(const char *key, uint64_t time_ns)
{
    (void)printf("%s: %" PRIu64 ".%06" PRIu64 "\n", key, time_ns / 1000000000U,
                 time_ns % 1000000000U / 1000);
}

static void print_named(const struct profile_facts *facts)
{
    for (uint32_t i = 0; i < facts->event_kind_cnt; i++) {
        (void)fputs("event ", stdout);
        profile_file_print_text(text_of(facts->event_kinds[i].name));
        (void)printf(": %" PRIu64 "\n", facts->event_kinds[i].cnt);
    }
    for (uint32_t i = 0; i < facts->metric_cnt; i++) {
        const struct profile_metric_sum *sum = &facts->metrics[i];
        (void)fputs("metric ", stdout);
        profile_file_print_text(text_of(sum->name));
        (void)printf(": %" PRId64 ", %" PRId64 "\n", sum->value, sum->delta);
    }
}

static void print_facts(const struct profile_facts *facts, const struct perf_script_stats *stats)
{
    (void)printf("lines: %" PRIu64 "\nmalformed_lines: %" PRIu64 "\nevents: %" PRIu64
                 "\nframes: %" PRIu64 "\ndropped: %" PRIu64 "\n",
                 stats->line_cnt, stats->malformed_line_cnt, stats->event_cnt, stats->frame_cnt,
                 stats->dropped_cnt + facts->dropped_cnt);
    print_named(facts);
    (void)printf("events_with_period: %" PRIu64 "\nperiod_total: %" PRIu64 "\n",
                 facts->with_period_cnt, facts->period_total);
    if (stats->event_cnt == 0) {
        return;
    }
    print_time("first_time", facts->first_ns);
    print_time("last_time", facts->last_ns);
    print_time("duration", facts->last_ns - facts->first_ns);
    print_time("largest_gap", facts->largest_gap_ns);
    (void)printf("out_of_order: %" PRIu64 "\n", facts->out_of_order_cnt);
    struct profile_buckets buckets = profile_facts_buckets(facts);
    if (buckets.is_known) {
        (void)printf("buckets_20ms: %" PRIu64 "\nempty_buckets_20ms: %" PRIu64 "\n", buckets.cnt,
                     buckets.empty_cnt);
    } else {
        (void)puts("buckets_20ms: unknown (the times are too far apart)");
    }
}

// --- as JSON ------------------------------------------------------------------

static void write_named(struct json_output *json, const struct profile_facts *facts)
{
    json_output_open(json, "event_kinds", '{');
    for (uint32_t i = 0; i < facts->event_kind_cnt; i++) {
        json_output_u64(json, facts->event_kinds[i].name, facts->event_kinds[i].cnt);
    }
    json_output_close(json, '}');
    json_output_open(json, "metrics", '{');
    for (uint32_t i = 0; i < facts->metric_cnt; i++) {
        json_output_open(json, facts->metrics[i].name, '{');
        json_output_i64(json, "value", facts->metrics[i].value);
        json_output_i64(json, "delta", facts->metrics[i].delta);
        json_output_close(json, '}');
    }
    json_output_close(json, '}');
}

static void write_times(struct json_output *json, const struct profile_facts *facts)
{
    struct profile_buckets buckets = profile_facts_buckets(facts);
    json_output_u64(json, "first_time_ns", facts->first_ns);
    json_output_u64(json, "last_time_ns", facts->last_ns);
    json_output_u64(json, "duration_ns", facts->last_ns - facts->first_ns);
    json_output_u64(json, "largest_gap_ns", facts->largest_gap_ns);
    json_output_u64(json, "out_of_order", facts->out_of_order_cnt);
    if (buckets.is_known) {
        json_output_u64(json, "buckets_20ms", buckets.cnt);
        json_output_u64(json, "empty_buckets_20ms", buckets.empty_cnt);
    }
}

static void write_facts(struct json_output *json, const struct profile_facts *facts,
                        const struct perf_script_stats *stats)
{
    json_output_u64(json, "lines", stats->line_cnt);
    json_output_u64(json, "malformed_lines", stats->malformed_line_cnt);
    json_output_u64(json, "events", stats->event_cnt);
    json_output_u64(json, "frames", stats->frame_cnt);
    json_output_u64(json, "dropped", stats->dropped_cnt + facts->dropped_cnt);
    write_named(json, facts);
    json_output_u64(json, "events_with_period", facts->with_period_cnt);
    json_output_u64(json, "period_total", facts->period_total);
    if (stats->event_cnt > 0) {
        write_times(json, facts);
    }
}

// --- the command --------------------------------------------------------------

static bool is_whole(const struct info_run *run)
{
    const struct selection_range *range = &run->options.range;
    return run->filter == NULL && range->from_ns == 0 && range->to_ns == UINT64_MAX;
}

static bool read_file(struct info_run *run, char *path, struct perf_script_stats *stats,
                      struct error *err)
{
    struct perf_script_handler handler = {add_event, take_field, run};
    return is_whole(run) ? profile_file_read(path, &handler, stats, err)
                         : profile_file_read_some(&path, 1, &run->options.range, run->filter,
                                                  &handler, stats, err);
}

static bool show_as_json(struct info_run *run, char *path, struct error *err)
{
    struct perf_script_stats stats;
    json_output_open(run->json, NULL, '{');
    json_output_text(run->json, "file", text_of(path));
    json_output_open(run->json, "header", '[');
    bool ok = read_file(run, path, &stats, err);
    json_output_close(run->json, ']');
    if (!ok) {
        json_output_text(run->json, "error", text_of(err->detail));
    }
    if (ok || stats.line_cnt > 0) {
        write_facts(run->json, run->facts, &stats);
    }
    json_output_close(run->json, '}');
    return ok;
}

static bool show_as_text(struct info_run *run, char *path, struct error *err)
{
    struct perf_script_stats stats;
    (void)printf("file: %s\n", path);
    bool ok = read_file(run, path, &stats, err);
    if (ok || stats.line_cnt > 0) {
        print_facts(run->facts, &stats);
    }
    (void)fflush(stdout);
    return ok;
}

static int show(struct info_run *run, char *path)
{
    struct error err = {0};
    run->facts = profile_facts_create();
    if (run->facts == NULL) {
        (void)error_set(&err, ERROR_NO_MEMORY, "info: out of memory");
        return command_failed(&err);
    }
    bool ok = run->json != NULL ? show_as_json(run, path, &err) : show_as_text(run, path, &err);
    profile_facts_destroy(run->facts);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

static int show_all(struct info_run *run)
{
    int exit_code = EXIT_CODE_DONE;
    for (int i = 0; i < run->options.file_cnt; i++) {
        int result = show(run, run->options.files[i]);
        exit_code = result != EXIT_CODE_DONE ? result : exit_code;
    }
    return exit_code;
}

static int show_all_as_json(struct info_run *run)
{
    static struct json_output json;
    struct error err = {0};
    struct file_output file;
    if (!file_output_open(&file, NULL, &err)) {
        return command_failed(&err);
    }
    json_output_init(&json, &file.output, &err);
    run->json = &json;
    json_output_open(&json, NULL, '{');
    json_output_open(&json, "files", '[');
    int exit_code = show_all(run);
    json_output_close(&json, ']');
    json_output_close(&json, '}');
    return json_output_finish(&json) ? exit_code : command_failed(&err);
}

int cmd_info(int argc, char **argv)
{
    struct error err = {0};
    struct info_run run = {.json = NULL};
    if (!view_options_parse(&run.options, VIEW_INFO, argc, argv, &err)) {
        return command_misused("info", &err);
    }
    if (run.options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    if (run.options.filter != NULL) {
        run.filter = filter_create(text_of(run.options.filter), NULL, &err);
        if (run.filter == NULL) {
            return command_failed(&err);
        }
    }
    int exit_code = run.options.is_json ? show_all_as_json(&run) : show_all(&run);
    filter_destroy(run.filter);
    return exit_code;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/profile_facts.h"
#include "cli/profile_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char HELP[] =
    "usage: flameprof info FILE...\n"
    "\n"
    "Shows what is in a capture or perf-script text (plain, .gz, or - for standard input), one\n"
    "`key: value` per line: header and footer, lines that could not be read, events,\n"
    "the sum of all periods, the sums of each metric (value, delta), first and last\n"
    "time, the largest gap between two events, and how many buckets of 20 ms between\n"
    "them hold no event.\n"
    "\n"
    "example\n"
    "  flameprof info host.perf\n";

static void print_field(void *context, struct text key, struct text value)
{
    (void)context;
    (void)fputs("header ", stdout);
    profile_file_print_text(key);
    (void)fputs(": ", stdout);
    profile_file_print_text(value);
    (void)putchar('\n');
}

static void add_event(void *context, const struct perf_script_event *event)
{
    profile_facts_add(context, event);
}

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

static int show(const char *path)
{
    struct error err = {0};
    struct perf_script_stats stats;
    struct profile_facts *facts = profile_facts_create();
    if (facts == NULL) {
        (void)error_set(&err, ERROR_NO_MEMORY, "info: out of memory");
        return command_failed(&err);
    }
    struct perf_script_handler handler = {add_event, print_field, facts};
    (void)printf("file: %s\n", path);
    bool ok = profile_file_read(path, &handler, &stats, &err);
    if (ok || stats.line_cnt > 0) {
        print_facts(facts, &stats);
    }
    profile_facts_destroy(facts);
    (void)fflush(stdout);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

int cmd_info(int argc, char **argv)
{
    struct error err = {0};
    int exit_code = EXIT_CODE_DONE;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(HELP, stdout);
        return EXIT_CODE_DONE;
    }
    if (argc < 2 || (argv[1][0] == '-' && argv[1][1] != '\0')) {
        (void)error_set(&err, ERROR_BAD_ARGUMENT, "%s",
                        argc < 2 ? "which file?" : "it has no options but --help");
        return command_misused("info", &err);
    }
    for (int i = 1; i < argc; i++) {
        int result = show(argv[i]);
        exit_code = result != EXIT_CODE_DONE ? result : exit_code;
    }
    return exit_code;
}

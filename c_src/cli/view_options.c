// SPDX-License-Identifier: Apache-2.0
#include "cli/view_options.h"

#include "cli/number_text.h"
#include "query/filter_number.h"
#include "query/heatmap.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_TABLE_ROWS = 20,
    DEFAULT_REPORT_ROWS = 10,
    DEFAULT_DEPTH = 48,
    MAX_HEATMAP_ROWS = 100000,
    MAX_TABLE_ROWS = 1000000,
    MAX_WIDTH = 4096,
};

enum option_id {
    OPTION_METRIC = 'm',
    OPTION_FILTER = 'f',
    OPTION_OUTPUT = 'o',
    OPTION_ROWS = 'n',
    OPTION_CATEGORIES = 'c',
    OPTION_REVERSED = 'r',
    OPTION_HELP = 'h',
    OPTION_FROM = 256,
    OPTION_TO,
    OPTION_BEFORE,
    OPTION_AFTER,
    OPTION_NORM,
    OPTION_COLUMN,
    OPTION_EVERY,
    OPTION_FOCUS,
    OPTION_LINES,
    OPTION_MAX_NODES,
    OPTION_WIDTH,
    OPTION_DEPTH,
    OPTION_COLOR,
    OPTION_JSON,
    OPTION_FORMAT,
};

enum {
    SHOWN = VIEW_HEATMAP | VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_EXPORT | VIEW_REPORT,
    ALL = SHOWN | VIEW_CONVERT | VIEW_MERGE | VIEW_SPLIT | VIEW_SCRIPT,
    RANGED = (ALL & ~VIEW_SPLIT) | VIEW_INFO,
};

static const struct {
    const char *name;
    const char *argument; // NULL = it has none
    int id;               // a letter is also the short option
    unsigned commands;
    const char *help;
} OPTIONS[] = {
    {"metric", "NAME", OPTION_METRIC, SHOWN,
     "samples, period, a metric, METRIC_delta, _inc or _dec"},
    {"filter", "FILTER", OPTION_FILTER, ALL | VIEW_INFO, "only these samples (docs/filter.md)"},
    {"from", "TIME", OPTION_FROM, RANGED, "since the first sample: 2.5, 500ms, 1min"},
    {"to", "TIME", OPTION_TO, RANGED, "not included"},
    {"every", "TIME", OPTION_EVERY, VIEW_SPLIT, "length of a part"},
    {"before", "FROM..TO", OPTION_BEFORE, VIEW_DIFF, "the range to compare with"},
    {"after", "FROM..TO", OPTION_AFTER, VIEW_DIFF, "the range to compare"},
    {"norm", "HOW", OPTION_NORM, VIEW_DIFF, "compare per time (default), total, or none"},
    {"rows", "N", OPTION_ROWS, VIEW_HEATMAP | VIEW_DIFF | VIEW_EXPORT | VIEW_REPORT,
     "rows of a heatmap's column (50), of a table (20; of a report 10)"},
    {"column", "TIME", OPTION_COLUMN, VIEW_HEATMAP | VIEW_EXPORT,
     "of a heatmap's column (1s; on a terminal what fits)"},
    {"categories", "A,B", OPTION_CATEGORIES, VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_EXPORT,
     "root frames, the first one outermost; '' = none"},
    {"reversed", NULL, OPTION_REVERSED, VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_EXPORT,
     "from the leaf to the root: who calls it"},
    {"focus", "PATTERN", OPTION_FOCUS, VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_EXPORT,
     "begin at functions that match"},
    {"lines", NULL, OPTION_LINES, VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_EXPORT,
     "tell the lines of a function apart"},
    {"max-nodes", "N", OPTION_MAX_NODES, VIEW_FLAMEGRAPH | VIEW_EXPORT, "only the heaviest"},
    {"width", "N", OPTION_WIDTH, VIEW_HEATMAP | VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_REPORT,
     "characters of a line (the terminal's)"},
    {"depth", "N", OPTION_DEPTH, VIEW_FLAMEGRAPH, "lines of the picture (48); 0 = all"},
    {"color", "WHEN", OPTION_COLOR, VIEW_HEATMAP | VIEW_FLAMEGRAPH | VIEW_DIFF,
     "auto, never, 256 or true; NO_COLOR is heeded"},
    {"json", NULL, OPTION_JSON, VIEW_HEATMAP | VIEW_FLAMEGRAPH | VIEW_DIFF | VIEW_INFO, "as JSON"},
    {"format", "NAME", OPTION_FORMAT, VIEW_EXPORT, "see below; the default by the suffix of -o"},
    {"output", "FILE", OPTION_OUTPUT, ALL, "instead of standard output; complete or not at all"},
    {"help", NULL, OPTION_HELP, ALL | VIEW_INFO, "this"},
};

enum { OPTION_CNT = sizeof OPTIONS / sizeof OPTIONS[0] };

void view_options_print_help(enum view_command command)
{
    for (size_t i = 0; i < OPTION_CNT; i++) {
        if ((OPTIONS[i].commands & command) != 0) {
            bool has_short = OPTIONS[i].id < 256;
            char spelled[32];
            (void)snprintf(spelled, sizeof spelled, "%s %s", OPTIONS[i].name,
                           OPTIONS[i].argument == NULL ? "" : OPTIONS[i].argument);
            (void)printf("  %c%c%c --%-19s %s\n", has_short ? '-' : ' ',
                         has_short ? OPTIONS[i].id : ' ', has_short ? ',' : ' ', spelled,
                         OPTIONS[i].help);
        }
    }
}

// --- values -------------------------------------------------------------------

// A plain number is in seconds.
static bool parse_time(struct text text, uint64_t *time_ns)
{
    char copy[64];
    int64_t number = 0;
    if (text.len == 0 || text.len + 2 > sizeof copy) {
        return false;
    }
    memcpy(copy, text.bytes, text.len);
    char last = text.bytes[text.len - 1];
    bool is_plain = last >= '0' && last <= '9';
    copy[text.len] = 's';
    struct text with_unit = {copy, text.len + (is_plain ? 1 : 0)};
    if (!filter_number_parse(with_unit, &number) || number < 0) {
        return false;
    }
    *time_ns = (uint64_t)number;
    return true;
}

bool view_options_time(const char *option, const char *value, uint64_t *time_ns, struct error *err)
{
    return parse_time(text_of(value), time_ns) ||
           error_set(err, ERROR_BAD_ARGUMENT, "--%s %s: expected a time such as 2.5, 500ms, 1min",
                     option, value);
}

static bool set_range(const char *option, const char *value, struct selection_range *range,
                      struct error *err)
{
    const char *dots = strstr(value, "..");
    *range = (struct selection_range){0, UINT64_MAX};
    if (dots != NULL) {
        struct text from = {value, (uint32_t)(dots - value)};
        struct text to = text_of(dots + 2);
        if ((from.len == 0 || parse_time(from, &range->from_ns)) &&
            (to.len == 0 || parse_time(to, &range->to_ns)) && range->from_ns < range->to_ns) {
            return true;
        }
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "--%s %s: expected a range such as 0..10, 2.5..3min",
                     option, value);
}

static bool set_number(const char *option, const char *value, uint64_t min, uint64_t max,
                       uint32_t *number, struct error *err)
{
    uint64_t parsed = 0;
    if (!number_text_parse(value, min, max, &parsed)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--%s %s: expected a number from %llu to %llu",
                         option, value, (unsigned long long)min, (unsigned long long)max);
    }
    *number = (uint32_t)parsed;
    return true;
}

static bool set_word(const char *option, const char *value, const char *const *words,
                     const char **to, struct error *err)
{
    char known[64] = "";
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            *to = words[i];
            return true;
        }
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "--%s %s: expected one of %s", option, value, known);
}

static bool set_rows(struct view_options *options, enum view_command command, const char *value,
                     struct error *err)
{
    return (command & (VIEW_DIFF | VIEW_REPORT)) != 0
               ? set_number("rows", value, 1, MAX_TABLE_ROWS, &options->max_rows, err)
               : set_number("rows", value, 1, MAX_HEATMAP_ROWS, &options->row_cnt, err);
}

// Those that are a text or a flag.
static bool take_plain(struct view_options *options, int id, const char *value)
{
    switch (id) {
    case OPTION_METRIC:
        options->metric = value;
        return true;
    case OPTION_FILTER:
        options->filter = value;
        return true;
    case OPTION_OUTPUT:
        options->output = value;
        return true;
    case OPTION_CATEGORIES:
        options->categories = value;
        return true;
    case OPTION_FOCUS:
        options->focus = value;
        return true;
    case OPTION_FORMAT:
        options->format = value;
        return true;
    case OPTION_REVERSED:
        options->is_reversed = true;
        return true;
    case OPTION_LINES:
        options->splits_lines = true;
        return true;
    case OPTION_JSON:
        options->is_json = true;
        return true;
    case OPTION_HELP:
        options->wants_help = true;
        return true;
    default:
        return false;
    }
}

static bool take_option(struct view_options *options, enum view_command command, int id,
                        const char *value, struct error *err)
{
    static const char *const NORMS[] = {"time", "total", "none", NULL};
    static const char *const COLOURS[] = {"auto", "never", "256", "true", NULL};
    switch (id) {
    case OPTION_FROM:
        return view_options_time("from", value, &options->range.from_ns, err);
    case OPTION_TO:
        return view_options_time("to", value, &options->range.to_ns, err);
    case OPTION_COLUMN:
        return view_options_time("column", value, &options->column_ns, err);
    case OPTION_EVERY:
        return view_options_time("every", value, &options->every_ns, err);
    case OPTION_BEFORE:
        options->has_before = true;
        return set_range("before", value, &options->before, err);
    case OPTION_AFTER:
        options->has_after = true;
        return set_range("after", value, &options->after, err);
    case OPTION_NORM:
        return set_word("norm", value, NORMS, &options->norm, err);
    case OPTION_COLOR:
        return set_word("color", value, COLOURS, &options->colours, err);
    case OPTION_ROWS:
        return set_rows(options, command, value, err);
    case OPTION_MAX_NODES:
        return set_number("max-nodes", value, 1, UINT32_MAX, &options->max_nodes, err);
    case OPTION_WIDTH:
        return set_number("width", value, 20, MAX_WIDTH, &options->width, err);
    case OPTION_DEPTH:
        return set_number("depth", value, 0, UINT32_MAX, &options->depth, err);
    default:
        return take_plain(options, id, value);
    }
}

// --- the line -----------------------------------------------------------------

struct getopt_tables {
    struct option longs[OPTION_CNT + 1];
    char shorts[2 * OPTION_CNT + 1];
};

static void make_tables(struct getopt_tables *tables, enum view_command command)
{
    size_t cnt = 0;
    size_t len = 0;
    *tables = (struct getopt_tables){.shorts = ""};
    for (size_t i = 0; i < OPTION_CNT; i++) {
        if ((OPTIONS[i].commands & command) == 0) {
            continue;
        }
        bool has_argument = OPTIONS[i].argument != NULL;
        tables->longs[cnt++] = (struct option){
            OPTIONS[i].name, has_argument ? required_argument : no_argument, NULL, OPTIONS[i].id};
        if (OPTIONS[i].id < 256) {
            tables->shorts[len++] = (char)OPTIONS[i].id;
            if (has_argument) {
                tables->shorts[len++] = ':';
            }
        }
    }
}

bool view_options_parse(struct view_options *options, enum view_command command, int argc,
                        char **argv, struct error *err)
{
    struct getopt_tables tables;
    int id = 0;
    *options = (struct view_options){.range = {0, UINT64_MAX},
                                     .max_rows = command == VIEW_REPORT ? DEFAULT_REPORT_ROWS
                                                                        : DEFAULT_TABLE_ROWS,
                                     .depth = DEFAULT_DEPTH,
                                     .colours = "auto",
                                     .norm = "time"};
    make_tables(&tables, command);
    optind = 0; // GNU: begin anew
    opterr = 0;
    while ((id = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        if (id == '?') {
            return error_set(err, ERROR_BAD_ARGUMENT,
                             "unknown option, or one without its value: %s", argv[optind - 1]);
        }
        if (!take_option(options, command, id, optarg, err)) {
            return false;
        }
    }
    options->files = argv + optind;
    options->file_cnt = argc - optind;
    if (options->range.from_ns >= options->range.to_ns) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--to is not behind --from");
    }
    return options->wants_help || options->file_cnt > 0 ||
           error_set(err, ERROR_BAD_ARGUMENT, "which file?");
}

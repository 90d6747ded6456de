// SPDX-License-Identifier: Apache-2.0
#include "cli/top_options.h"

#include "cli/option_table.h"
#include "cli/view_options.h"

#include <string.h>

enum { DEFAULT_ROWS = 20, MAX_ROWS = 1000000 };

static const char HELP[] =
    "usage: flameprof top [OPTIONS] FILE...\n"
    "\n"
    "Shows which functions, processes and categories a capture or perf-script text is\n"
    "about: of flameprof record and of flame_prof in a VM, of the flame_prof of 2021,\n"
    "and what perf script prints; plain, .gz, or - for standard input. Several files\n"
    "are taken together.\n"
    "\n"
    "  -m, --metric NAME   weigh by this metric's values instead of by time\n"
    "      --delta         ... by its changes since the process's last sample\n"
    "  -b, --by KEY        only this table: function, process, thread or category\n"
    "                      (without it function, process and category)\n"
    "  -c, --category NAME only events of this category (comm, process status)\n"
    "  -f, --filter FILTER only these samples (docs/filter.md)\n"
    "      --from TIME     since the first sample: 2.5, 500ms, 1min\n"
    "      --to TIME       not included\n"
    "      --json          as JSON (docs/json.md)\n"
    "  -n, --rows N        rows per table (20)\n"
    "  -h, --help          this\n"
    "\n"
    "self is what was spent in a function itself, total also what it called. A process\n"
    "of a VM is an Erlang process, with its registered name or its initial call.\n"
    "\n"
    "examples\n"
    "  flameprof top host.perf\n"
    "  flameprof top --category running --by function -n 50 beam.perf.gz\n"
    "  flameprof top --filter 'fn~/ets:/ & delta(memory)>0' beam.fpc\n"
    "  flameprof top --from 20 --to 30 --json beam.fpc\n"
    "  flameprof top --metric erlang_reductions --delta --by process beam.perf.gz\n"
    "  perf script | flameprof top -\n";

static const char *const KEY_NAMES[] = {
    [TOP_KEY_FUNCTION] = "function",
    [TOP_KEY_PROCESS] = "process",
    [TOP_KEY_THREAD] = "thread",
    [TOP_KEY_CATEGORY] = "category",
};

// With what takes more than one option to know what it means.
struct top_line {
    struct top_options options;
    bool delta;
};

const char *top_options_help(void)
{
    return HELP;
}

const char *top_key_name(enum top_key key)
{
    return KEY_NAMES[key];
}

static bool take_metric(void *target, const char *name, struct error *err)
{
    static const char PREFIX[] = "metric_";
    struct top_line *line = target;
    size_t len = strlen(PREFIX);
    (void)err;
    line->options.metric = strncmp(name, PREFIX, len) == 0 ? name + len : name;
    return true;
}

static bool take_key(void *target, const char *name, struct error *err)
{
    struct top_line *line = target;
    for (int i = 0; i < TOP_KEY_CNT; i++) {
        if (strcmp(name, KEY_NAMES[i]) == 0) {
            line->options.shows[i] = true;
            return true;
        }
    }
    return option_table_wrong("--by", name, "function, process, thread or category", err);
}

static bool take_from(void *target, const char *value, struct error *err)
{
    struct top_line *line = target;
    return view_options_time("from", value, &line->options.range.from_ns, err);
}

static bool take_to(void *target, const char *value, struct error *err)
{
    struct top_line *line = target;
    return view_options_time("to", value, &line->options.range.to_ns, err);
}

#define AT(member) .offset = offsetof(struct top_line, member)

static const struct option_row ROWS[] = {
    {"metric", 'm', OPTION_TAKEN, .take = take_metric},
    {"delta", 0, OPTION_FLAG, AT(delta)},
    {"by", 'b', OPTION_TAKEN, .take = take_key},
    {"category", 'c', OPTION_TEXT, AT(options.category)},
    {"filter", 'f', OPTION_TEXT, AT(options.filter)},
    {"rows", 'n', OPTION_NUMBER, AT(options.max_rows), 1, MAX_ROWS, "a number of rows"},
    {"from", 0, OPTION_TAKEN, .take = take_from},
    {"to", 0, OPTION_TAKEN, .take = take_to},
    {"json", 0, OPTION_FLAG, AT(options.is_json)},
    {"help", 'h', OPTION_CHOICE, AT(options.action), TOP_ACTION_HELP},
};

static bool complete(struct top_options *options, bool delta, struct error *err)
{
    bool any = false;
    for (int i = 0; i < TOP_KEY_CNT; i++) {
        any = any || options->shows[i];
    }
    if (!any) {
        options->shows[TOP_KEY_FUNCTION] = true;
        options->shows[TOP_KEY_PROCESS] = true;
        options->shows[TOP_KEY_CATEGORY] = true;
    }
    if (delta && options->metric == NULL) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--delta is for --metric");
    }
    if (options->range.from_ns >= options->range.to_ns) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--to is not behind --from");
    }
    if (options->metric != NULL) {
        options->weight = delta ? TOP_WEIGHT_METRIC_DELTA : TOP_WEIGHT_METRIC_VALUE;
    }
    return options->file_cnt > 0 || error_set(err, ERROR_BAD_ARGUMENT, "which file?");
}

bool top_options_parse(struct top_options *options, int argc, char **argv, struct error *err)
{
    static const struct option_table TABLE = {ROWS, sizeof ROWS / sizeof ROWS[0],
                                              .stops_early = false};
    struct top_line line = {{.max_rows = DEFAULT_ROWS, .range = {0, UINT64_MAX}}, .delta = false};
    int rest = 0;
    if (!option_table_take(&TABLE, &line, argc, argv, &rest, err)) {
        return false;
    }
    line.options.files = argv + rest;
    line.options.file_cnt = argc - rest;
    if (line.options.action != TOP_ACTION_HELP && !complete(&line.options, line.delta, err)) {
        return false;
    }
    *options = line.options;
    return true;
}

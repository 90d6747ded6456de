// SPDX-License-Identifier: Apache-2.0
#include "cli/top_options.h"

#include "cli/number_text.h"
#include "cli/view_options.h"

#include <getopt.h>
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

enum { OPTION_DELTA = 256, OPTION_FROM, OPTION_TO, OPTION_JSON };

static const struct option LONG_OPTIONS[] = {
    {"metric", required_argument, NULL, 'm'},
    {"delta", no_argument, NULL, OPTION_DELTA},
    {"by", required_argument, NULL, 'b'},
    {"category", required_argument, NULL, 'c'},
    {"filter", required_argument, NULL, 'f'},
    {"rows", required_argument, NULL, 'n'},
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

const char *top_options_help(void)
{
    return HELP;
}

const char *top_key_name(enum top_key key)
{
    return KEY_NAMES[key];
}

static bool set_key(struct top_options *options, const char *name, struct error *err)
{
    for (int i = 0; i < TOP_KEY_CNT; i++) {
        if (strcmp(name, KEY_NAMES[i]) == 0) {
            options->shows[i] = true;
            return true;
        }
    }
    return error_set(err, ERROR_BAD_ARGUMENT,
                     "--by %s: expected function, process, thread or category", name);
}

static bool set_rows(struct top_options *options, const char *value, struct error *err)
{
    uint64_t rows = 0;
    if (!number_text_parse(value, 1, MAX_ROWS, &rows)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-n %s: expected a number of rows", value);
    }
    options->max_rows = (uint32_t)rows;
    return true;
}

static bool take_option(struct top_options *options, int option, char **argv, bool *delta,
                        struct error *err)
{
    static const char PREFIX[] = "metric_";
    switch (option) {
    case 'm':
        options->metric =
            strncmp(optarg, PREFIX, strlen(PREFIX)) == 0 ? optarg + strlen(PREFIX) : optarg;
        return true;
    case OPTION_DELTA:
        *delta = true;
        return true;
    case 'b':
        return set_key(options, optarg, err);
    case 'c':
        options->category = optarg;
        return true;
    case 'f':
        options->filter = optarg;
        return true;
    case 'n':
        return set_rows(options, optarg, err);
    case OPTION_FROM:
        return view_options_time("from", optarg, &options->range.from_ns, err);
    case OPTION_TO:
        return view_options_time("to", optarg, &options->range.to_ns, err);
    case OPTION_JSON:
        options->is_json = true;
        return true;
    case 'h':
        options->action = TOP_ACTION_HELP;
        return true;
    default:
        return error_set(err, ERROR_BAD_ARGUMENT, "unknown option, or one without its value: %s",
                         argv[optind - 1]);
    }
}

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
    int option = 0;
    bool delta = false;
    *options = (struct top_options){.max_rows = DEFAULT_ROWS, .range = {0, UINT64_MAX}};
    optind = 0; // GNU: begin anew
    opterr = 0;
    while ((option = getopt_long(argc, argv, "m:b:c:f:n:h", LONG_OPTIONS, NULL)) != -1) {
        if (!take_option(options, option, argv, &delta, err)) {
            return false;
        }
    }
    options->files = argv + optind;
    options->file_cnt = argc - optind;
    return options->action == TOP_ACTION_HELP || complete(options, delta, err);
}

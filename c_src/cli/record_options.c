// SPDX-License-Identifier: Apache-2.0
#include "cli/record_options.h"

#include "base/clock.h"
#include "cli/option_table.h"
#include "cli/record_events.h"
#include "cli/record_filter.h"
#include "cli/record_trigger.h"
#include "record/system/file_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// With less, files are read again and again.
#define MIN_SYMBOL_BYTES (16ULL << 20)
#define MAX_FLIGHT_NS (24ULL * 3600 * CLOCK_NS_PER_S)

// What was given, also where it takes more than one option to know what it means.
struct record_line {
    struct record_options options;
    bool all;
    bool has_events;
    uint32_t rate_hz;       // -F; 0 = not given
    uint32_t event_rate_hz; // of -e cpu-clock; 0 = not asked for
    const char *output;
    bool has_format;
    bool is_text;
    const char *variables[IDENTITY_MAX_VARIABLES];
    uint32_t variable_cnt;
    bool has_flight_option; // which is nothing without --flight
};

// --- values -------------------------------------------------------------------

static bool take_pids(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_pids_add(&line->options.pids, list, err);
}

static bool take_events(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    line->has_events = true;
    return record_events_add(&line->options.events, &line->event_rate_hz, list, err);
}

static bool take_format(void *target, const char *value, struct error *err)
{
    struct record_line *line = target;
    line->has_format = true;
    line->is_text = strcmp(value, "perf-script") == 0;
    return line->is_text || strcmp(value, "capture") == 0 ||
           option_table_wrong("--format", value, "capture or perf-script", err);
}

static bool take_threads(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_filter_threads(&line->options.filter, list, err);
}

static bool take_comms(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_filter_comms(&line->options.filter, list, err);
}

static bool take_users(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_filter_users(&line->options.filter, list, err);
}

static bool take_cgroups(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_filter_cgroups(&line->options.filter, list, err);
}

static bool take_containers(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    return record_filter_containers(&line->options.filter, list, err);
}

static bool take_categories(void *target, const char *list, struct error *err)
{
    struct record_line *line = target;
    char copy[1024];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--categories: the list is too long");
    }
    char *rest = copy;
    bool ok = true;
    for (char *name = strsep(&rest, ","); ok && name != NULL; name = strsep(&rest, ",")) {
        struct error why = {0};
        ok = system_category_add(&line->options.categories, name, &why) ||
             error_set(err, ERROR_BAD_ARGUMENT, "--categories: %s", why.detail);
    }
    return ok;
}

// Behind the categories, wherever --env stands.
static bool take_variable(void *target, const char *name, struct error *err)
{
    struct record_line *line = target;
    if (line->variable_cnt == IDENTITY_MAX_VARIABLES) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--env: at most %d variables",
                         IDENTITY_MAX_VARIABLES);
    }
    line->variables[line->variable_cnt++] = name;
    return true;
}

static bool take_engine(void *target, const char *name, struct error *err)
{
    static const char *const NAMES[] = {
        [SYSTEM_ENGINE_AUTO] = "auto",
        [SYSTEM_ENGINE_BPF] = "bpf",
        [SYSTEM_ENGINE_PERF_EVENTS] = "perf-events",
    };
    struct record_line *line = target;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            line->options.engine = (enum system_engine)i;
            return true;
        }
    }
    return option_table_wrong("--engine", name, "auto, bpf or perf-events", err);
}

static bool take_max_cpu(void *target, const char *value, struct error *err)
{
    struct record_line *line = target;
    char *end = NULL;
    double percent = value[0] >= '0' && value[0] <= '9' ? strtod(value, &end) : 0;
    bool whole = end != NULL && (*end == '\0' || strcmp(end, "%") == 0);
    if (!whole || !(percent > 0 && percent <= 100)) {
        return option_table_wrong("--max-cpu", value, "percent of the machine, as 0.5%", err);
    }
    line->options.max_cpu_percent = percent;
    return true;
}

static bool take_trigger(void *target, const char *value, struct error *err)
{
    struct record_line *line = target;
    struct flight_options *flight = &line->options.flight;
    if (flight->trigger_cnt == HOST_TRIGGERS_MAX) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--trigger: at most %d of them",
                         HOST_TRIGGERS_MAX);
    }
    return record_trigger_parse(&flight->triggers[flight->trigger_cnt++], value, err);
}

// --- options ------------------------------------------------------------------

static const char SECONDS[] = "seconds, more than 0";
static const char COUNT[] = "a count, 1 or more";
static const char PAUSE[] = "a time, 0 to 24h";

#define AT(member) .offset = offsetof(struct record_line, member)
#define FOR_FLIGHT .mark = offsetof(struct record_line, has_flight_option)

// clang-format off
static const struct option_row ROWS[] = {
    {"all", 'a', OPTION_FLAG, AT(all)},
    {"pid", 'p', OPTION_TAKEN, .take = take_pids},
    {"rate", 'F', OPTION_NUMBER, AT(rate_hz), 1, RECORD_MAX_RATE_HZ,
     "samples per second, 1 to 100000"},
    {"event", 'e', OPTION_TAKEN, .take = take_events},
    {"duration", 'd', OPTION_SECONDS, AT(options.duration_ns), .expected = SECONDS},
    {"output", 'o', OPTION_TEXT, AT(output)},
    {"format", 0, OPTION_TAKEN, .take = take_format},
    {"rotate-seconds", 0, OPTION_SECONDS, AT(options.rotate_ns), .expected = SECONDS},
    {"rotate-bytes", 0, OPTION_BYTES, AT(options.rotate_bytes), 1 << 10, UINT64_MAX, "1K or more"},
    {"max-files", 0, OPTION_NUMBER, AT(options.max_files), 1, 1000000, COUNT},
    {"spool-bytes", 0, OPTION_BYTES, AT(options.spool_bytes), 1 << 20, UINT64_MAX, "1M or more"},
    {"tid", 0, OPTION_TAKEN, .take = take_threads},
    {"comm", 0, OPTION_TAKEN, .take = take_comms},
    {"uid", 0, OPTION_TAKEN, .take = take_users},
    {"cgroup", 0, OPTION_TAKEN, .take = take_cgroups},
    {"container", 0, OPTION_TAKEN, .take = take_containers},
    {"categories", 0, OPTION_TAKEN, .take = take_categories},
    {"env", 0, OPTION_TAKEN, .take = take_variable},
    {"engine", 0, OPTION_TAKEN, .take = take_engine},
    {"buffer", 0, OPTION_BYTES, AT(options.ring_bytes), SYSTEM_SAMPLER_MIN_RING_BYTES,
     SYSTEM_SAMPLER_MAX_RING_BYTES, "4K to 1G"},
    {"self", 0, OPTION_FLAG, AT(options.includes_self)},
    {"no-demangle", 0, OPTION_FLAG, AT(options.keeps_mangled)},
    {"lines", 0, OPTION_FLAG, AT(options.tells_lines)},
    {"inlines", 0, OPTION_FLAG, AT(options.tells_inlined)},
    {"symbol-memory", 0, OPTION_BYTES, AT(options.symbol_bytes), 1 << 20, 1ULL << 40, "1M to 1T"},
    {"flight", 0, OPTION_DURATION, AT(options.flight.keep_ns), CLOCK_NS_PER_S, MAX_FLIGHT_NS,
     "a time, 1s to 24h"},
    {"flight-after", 0, OPTION_DURATION, AT(options.flight.after_ns), 0, MAX_FLIGHT_NS, PAUSE,
     FOR_FLIGHT},
    {"flight-bytes", 0, OPTION_BYTES, AT(options.flight.max_bytes), 1 << 20, 1ULL << 40,
     "1M to 1T", FOR_FLIGHT},
    {"flight-at-end", 0, OPTION_FLAG, AT(options.flight.at_end), FOR_FLIGHT},
    {"trigger", 0, OPTION_TAKEN, .take = take_trigger, FOR_FLIGHT},
    {"dump-distance", 0, OPTION_DURATION, AT(options.flight.distance_ns), 0, MAX_FLIGHT_NS, PAUSE,
     FOR_FLIGHT},
    {"dumps-max", 0, OPTION_NUMBER, AT(options.flight.dumps_max), 1, 1000000, COUNT, FOR_FLIGHT},
    {"max-cpu", 0, OPTION_TAKEN, .take = take_max_cpu},
    {"max-memory", 0, OPTION_BYTES, AT(options.max_memory_bytes), 16 << 20, 1ULL << 40,
     "16M to 1T"},
    {"quiet", 'q', OPTION_CHOICE, AT(options.talk), RECORD_TALK_QUIET},
    {"verbose", 'v', OPTION_CHOICE, AT(options.talk), RECORD_TALK_VERBOSE},
    {"help", 'h', OPTION_CHOICE, AT(options.action), RECORD_ACTION_HELP},
};
// clang-format on

static bool take_options(struct record_line *line, int argc, char **argv, struct error *err)
{
    static const struct option_table TABLE = {ROWS, sizeof ROWS / sizeof ROWS[0],
                                              .stops_early = true};
    int rest = 0;
    if (!option_table_take(&TABLE, line, argc, argv, &rest, err)) {
        return false;
    }
    if (rest < argc && strcmp(argv[rest - 1], "--") != 0) {
        return error_set(err, ERROR_BAD_ARGUMENT, "'%s': a command to run goes behind --",
                         argv[rest]);
    }
    line->options.command = rest < argc ? argv + rest : NULL;
    return true;
}

// --- the whole ----------------------------------------------------------------

static void choose_rate(struct record_line *line)
{
    struct record_options *options = &line->options;
    if (line->has_events) {
        options->rate_hz = line->event_rate_hz;
    }
    if (line->rate_hz != 0 && options->rate_hz != 0) {
        options->rate_hz = line->rate_hz;
    }
}

// One file, or a series: by time, by size, or when something happens.
static bool choose_naming(struct record_line *line, struct error *err)
{
    struct record_options *options = &line->options;
    bool rotates = options->rotate_ns > 0 || options->rotate_bytes > 0;
    bool flies = options->flight.keep_ns > 0;
    if ((options->max_files > 0 || options->spool_bytes > 0) && !rotates && !flies) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "--max-files and --spool-bytes are for --rotate-seconds, "
                         "--rotate-bytes or --flight");
    }
    if (rotates && flies) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "--flight writes a file when something happens, --rotate-seconds and "
                         "--rotate-bytes all the time: choose one");
    }
    if (line->has_flight_option && !flies) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "--trigger, --flight-..., --dump-distance and --dumps-max are for "
                         "--flight TIME");
    }
    options->naming = rotates || flies ? FILE_NAMING_SERIES : FILE_NAMING_SINGLE;
    return true;
}

static bool choose_scope(struct record_line *line, struct error *err)
{
    struct record_options *options = &line->options;
    if (line->all && options->pids.cnt > 0) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-a and -p exclude each other");
    }
    if (line->all || (options->pids.cnt == 0 && options->command == NULL)) {
        options->scope = SYSTEM_SCOPE_HOST;
    } else {
        options->scope = options->command != NULL ? SYSTEM_SCOPE_TREES : SYSTEM_SCOPE_PROCESSES;
    }
    return true;
}

static bool combine_variables(struct record_line *line, struct error *err)
{
    bool ok = true;
    for (uint32_t i = 0; i < line->variable_cnt && ok; i++) {
        char name[SYSTEM_VARIABLE_BYTES + 8];
        (void)snprintf(name, sizeof name, "env:%s", line->variables[i]);
        ok = system_category_add(&line->options.categories, name, err);
    }
    return ok;
}

// What was not chosen fits into the memory that there may be.
static bool fit_memory(struct record_options *options, struct error *err)
{
    uint64_t max_bytes = options->max_memory_bytes;
    if (max_bytes == 0) {
        return true;
    }
    if (options->symbol_bytes == FILE_NAMES_DEFAULT_SYMBOL_BYTES &&
        options->symbol_bytes > max_bytes / 4) {
        options->symbol_bytes = max_bytes / 4 > MIN_SYMBOL_BYTES ? max_bytes / 4 : MIN_SYMBOL_BYTES;
    }
    if (options->flight.max_bytes == RECORD_DEFAULT_FLIGHT_BYTES &&
        options->flight.max_bytes > max_bytes / 2) {
        options->flight.max_bytes = max_bytes / 2;
    }
    return options->flight.max_bytes <= max_bytes / 2 ||
           error_set(err, ERROR_BAD_ARGUMENT,
                     "--flight-bytes is more than half of --max-memory; allow more of this or "
                     "keep less");
}

static bool choose_output(struct record_line *line, struct error *err)
{
    struct record_options *options = &line->options;
    if (line->output == NULL) {
        return record_output_default(&options->output, options->naming, line->is_text, err);
    }
    return record_output_at(&options->output, line->output, err) &&
           (!line->has_format || line->is_text != options->output.is_capture ||
            error_set(err, ERROR_BAD_ARGUMENT, "-o %s: its suffix and --format disagree",
                      line->output));
}

static bool combine(struct record_line *line, struct error *err)
{
    choose_rate(line);
    return choose_scope(line, err) && choose_naming(line, err) && fit_memory(&line->options, err) &&
           combine_variables(line, err) && choose_output(line, err);
}

// A command's arguments may be nobody's business: only its name goes to the file.
static void describe(struct record_options *options, int argc, char **argv)
{
    size_t used = 0;
    for (int i = 1; i < argc && used < sizeof options->text; i++) {
        bool is_command = options->command != NULL && argv + i >= options->command;
        used += (size_t)snprintf(options->text + used, sizeof options->text - used, "%s%s",
                                 i == 1 ? "" : " ", argv[i]);
        if (is_command) {
            break;
        }
    }
}

static struct record_options defaults(void)
{
    return (struct record_options){
        .rate_hz = RECORD_DEFAULT_RATE_HZ,
        .symbol_bytes = FILE_NAMES_DEFAULT_SYMBOL_BYTES,
        .flight = {.after_ns = 5ULL * CLOCK_NS_PER_S,
                   .max_bytes = RECORD_DEFAULT_FLIGHT_BYTES,
                   .distance_ns = 60ULL * CLOCK_NS_PER_S,
                   .dumps_max = 10},
        .talk = RECORD_TALK_NORMAL,
    };
}

bool record_options_parse(struct record_options *options, int argc, char **argv, struct error *err)
{
    struct record_line line = {.options = defaults()};
    if (!take_options(&line, argc, argv, err)) {
        return false;
    }
    describe(&line.options, argc, argv);
    if (line.options.action != RECORD_ACTION_HELP && !combine(&line, err)) {
        return false;
    }
    *options = line.options;
    return true;
}

static bool check_rate(uint32_t rate_hz, struct error *err)
{
    static const char PATH[] = "/proc/sys/kernel/perf_event_max_sample_rate";
    unsigned max_hz = 0;
    FILE *file = fopen(PATH, "re");
    bool known = file != NULL && fscanf(file, "%u", &max_hz) == 1;
    if (file != NULL) {
        (void)fclose(file);
    }
    return !known || rate_hz <= max_hz ||
           error_set(err, ERROR_BAD_ARGUMENT,
                     "-F %u: this kernel allows at most %u samples per second and CPU; ask for "
                     "less, or raise it: sysctl kernel.perf_event_max_sample_rate=%u",
                     rate_hz, max_hz, rate_hz);
}

bool record_options_check(const struct record_options *options, struct error *err)
{
    return check_rate(options->rate_hz, err) && record_pids_check(&options->pids, err);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/record_options.h"

#include "base/clock.h"
#include "cli/number_text.h"
#include "cli/record_events.h"
#include "cli/record_filter.h"
#include "cli/record_trigger.h"
#include "record/system/file_names.h"
#include "store/capture_format.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char HELP[] =
    "usage: flameprof record [OPTIONS] [-- COMMAND [ARGUMENTS]]\n"
    "\n"
    "Samples what runs on every CPU, with kernel and user stacks, into a capture, which\n"
    "flameprof reads. For Flamescope, FlameGraph and others record text: -o FILE.perf.\n"
    "\n"
    "what to sample\n"
    "  -a, --all               every process of the host (the default)\n"
    "  -p, --pid PID[,PID...]  these processes, with all their threads\n"
    "  -- COMMAND              run it, sample it and its children until it ends\n"
    "                          (the whole host with -a)\n"
    "  -F, --rate HZ           samples per second and CPU (99)\n"
    "  -e, --event EVENT[:N]   what to sample, in a file each (cpu-clock); may be repeated:\n"
    "                          cpu-clock:HZ, off-cpu:MIN_TIME and run-queue:MIN_TIME (1ms),\n"
    "                          minor-faults:EVERY, major-faults:EVERY, context-switches:EVERY,\n"
    "                          cycles:EVERY, instructions:EVERY, cache-misses:EVERY\n"
    "  -d, --duration SECONDS  how long (until Ctrl-C)\n"
    "      --self              also sample flameprof itself\n"
    "\n"
    "of these only (decided in the kernel; of one kind any, of several kinds all)\n"
    "      --tid TID[,...]     threads\n"
    "      --comm NAME[,...]   threads of these names\n"
    "      --uid USER[,...]    processes of these users, by name or number\n"
    "      --cgroup PATH[,...] control groups with all below them\n"
    "      --container X[,...] containers by name or the beginning of their id\n"
    "\n"
    "what else to say of each sample, as the outermost frames of its stack\n"
    "      --categories LIST   of container, pod, cgroup, runtime, user, program, command,\n"
    "                          pid, ns_pid, thread, scheduler, mode, state, env:NAME;\n"
    "                          outermost first\n"
    "      --env NAME          a variable of the processes' environment: env:NAME behind\n"
    "                          those categories\n"
    "\n"
    "where to\n"
    "  -o, --output FILE       FILE.fpc: a capture, a fiftieth of the text's size;\n"
    "                          FILE.perf or FILE.txt: perf-script text; with .gz behind it\n"
    "                          the same compressed (flameprof-TIME.fpc in this directory)\n"
    "      --format FORMAT     capture or perf-script, where no FILE says it (capture)\n"
    "      --rotate-seconds N  begin another file every N seconds\n"
    "      --rotate-bytes N    ... or N bytes of text (K, M, G behind N are units)\n"
    "      --max-files N       keep the newest N files of the series ...\n"
    "      --spool-bytes N     ... of at most N bytes together\n"
    "\n"
    "flight recorder: keep the last seconds in memory, write them when something happens\n"
    "      --flight TIME       keep so much (30s, 5m); a file for each SIGUSR1 and trigger\n"
    "      --trigger CONDITION write when it is so; may be repeated:\n"
    "                          GAUGE>NUMBER, 'GAUGE>NUMBER for TIME', 'comm=NAME exits';\n"
    "                          gauges are load, run-queue, and in percent cpu, steal, memory,\n"
    "                          cpu-pressure, io-pressure, memory-pressure\n"
    "      --flight-after TIME go on for so long before the file is finished (5s)\n"
    "      --flight-bytes N    memory for samples, the oldest go first (32M)\n"
    "      --flight-at-end     a file at the end, too\n"
    "      --dump-distance TIME  pause between two files by triggers (60s)\n"
    "      --dumps-max N       ... and how many there may be (10)\n"
    "\n"
    "names\n"
    "      --no-demangle       C++ and Rust names as they stand in the file\n"
    "      --lines             source file and line of functions in files with DWARF, in place\n"
    "                          of the file that is mapped\n"
    "      --symbol-memory BYTES  for the symbols of all files, those not needed for\n"
    "                          longest go first (64M)\n"
    "\n"
    "budget of flameprof itself; what it changes is told in the file\n"
    "      --max-cpu PERCENT   of the CPU time of the machine: beyond it the rate goes down\n"
    "                          until there is room again\n"
    "      --max-memory BYTES  resident: beyond it names are forgotten, at last it ends\n"
    "\n"
    "else\n"
    "      --engine ENGINE     auto (the default), bpf, or perf-events: no BPF, user stacks are\n"
    "                          copied and walked by flameprof; the processes of one's own\n"
    "                          user need no rights for it\n"
    "      --buffer BYTES      ring buffer between kernel and flameprof (4M)\n"
    "  -q, --quiet             no progress and no summary\n"
    "  -v, --verbose           also what libbpf and the kernel say\n"
    "  -h, --help              this\n"
    "\n"
    "examples\n"
    "  flameprof record -d 10 -o host.fpc\n"
    "  flameprof record -F 499 -p $(pgrep -d, beam.smp) -d 30 -o beam.perf.gz\n"
    "  flameprof record -o make.fpc -- make -j4\n"
    "  flameprof record -o /var/tmp/host.fpc --rotate-seconds 3600 --max-files 24\n"
    "  flameprof record -o /var/tmp/host.fpc --flight 60s --trigger 'cpu>90% for 5s'\n"
    "\n"
    "Needs Linux 5.15 with BTF, and root or CAP_BPF + CAP_PERFMON (+ CAP_SYS_PTRACE to\n"
    "name the functions of other users' processes); with less it says what is lost and goes\n"
    "on with what perf events may see. Whatever it runs into, it takes at\n"
    "most some 270 MB of memory, mostly for names; 20 to 40 MB is usual. Every sample\n"
    "that is lost is counted, in the summary and in the file.\n";

const char *record_options_help(void)
{
    return HELP;
}

// --- the output file ----------------------------------------------------------

static const struct {
    const char *suffix;
    enum file_compression compression;
    bool is_capture;
} FORMATS[] = {
    {CAPTURE_SUFFIX, FILE_COMPRESSION_NONE, true}, {".perf", FILE_COMPRESSION_NONE, false},
    {".perf.gz", FILE_COMPRESSION_GZIP, false},    {".txt", FILE_COMPRESSION_NONE, false},
    {".txt.gz", FILE_COMPRESSION_GZIP, false},
};

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static bool split_path(struct record_options *options, const char *path, size_t suffix_len,
                       struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *directory = slash == NULL ? "." : path;
    size_t directory_len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    size_t stem_len = strlen(name) - suffix_len; // set_output looked
    if (directory_len >= sizeof options->directory || stem_len >= sizeof options->stem) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-o: the file name is too long");
    }
    (void)snprintf(options->directory, sizeof options->directory, "%.*s", (int)directory_len,
                   directory);
    (void)snprintf(options->stem, sizeof options->stem, "%.*s", (int)stem_len, name);
    return true;
}

static bool set_output(struct record_options *options, const char *path, struct error *err)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
        if (ends_with(name, FORMATS[i].suffix)) {
            options->suffix = FORMATS[i].suffix;
            options->compression = FORMATS[i].compression;
            options->is_capture = FORMATS[i].is_capture;
            return split_path(options, path, strlen(FORMATS[i].suffix), err);
        }
    }
    return error_set(err, ERROR_BAD_ARGUMENT,
                     "-o %s: the suffix chooses the format, it must be .fpc (capture), .perf or "
                     ".txt (text), .perf.gz or .txt.gz (compressed text), with a name before it",
                     path);
}

// In a series the files have the time in their names anyway.
static bool set_default_output(struct record_options *options, bool is_text, struct error *err)
{
    char stamp[32] = "";
    char name[64];
    struct tm utc;
    time_t now = (time_t)(clock_anchor_now().unix_ns / CLOCK_NS_PER_S);
    if (options->naming == FILE_NAMING_SINGLE && gmtime_r(&now, &utc) != NULL) {
        (void)strftime(stamp, sizeof stamp, "-%Y%m%dT%H%M%SZ", &utc);
    }
    (void)snprintf(name, sizeof name, "flameprof%s%s", stamp, is_text ? ".perf" : CAPTURE_SUFFIX);
    return set_output(options, name, err);
}

// --- options ------------------------------------------------------------------

enum {
    OPTION_FORMAT = 256,
    OPTION_ROTATE_SECONDS,
    OPTION_ROTATE_BYTES,
    OPTION_MAX_FILES,
    OPTION_SPOOL_BYTES,
    OPTION_BUFFER,
    OPTION_SELF,
    OPTION_TID,
    OPTION_COMM,
    OPTION_UID,
    OPTION_CGROUP,
    OPTION_CONTAINER,
    OPTION_CATEGORIES,
    OPTION_ENV,
    OPTION_NO_DEMANGLE,
    OPTION_SYMBOL_MEMORY,
    OPTION_FLIGHT,
    OPTION_FLIGHT_AFTER,
    OPTION_FLIGHT_BYTES,
    OPTION_FLIGHT_AT_END,
    OPTION_TRIGGER,
    OPTION_DUMP_DISTANCE,
    OPTION_DUMPS_MAX,
    OPTION_ENGINE,
    OPTION_MAX_CPU,
    OPTION_MAX_MEMORY,
    OPTION_LINES
};

static const struct option LONG_OPTIONS[] = {
    {"all", no_argument, NULL, 'a'},
    {"pid", required_argument, NULL, 'p'},
    {"rate", required_argument, NULL, 'F'},
    {"event", required_argument, NULL, 'e'},
    {"duration", required_argument, NULL, 'd'},
    {"output", required_argument, NULL, 'o'},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"rotate-seconds", required_argument, NULL, OPTION_ROTATE_SECONDS},
    {"rotate-bytes", required_argument, NULL, OPTION_ROTATE_BYTES},
    {"max-files", required_argument, NULL, OPTION_MAX_FILES},
    {"spool-bytes", required_argument, NULL, OPTION_SPOOL_BYTES},
    {"tid", required_argument, NULL, OPTION_TID},
    {"comm", required_argument, NULL, OPTION_COMM},
    {"uid", required_argument, NULL, OPTION_UID},
    {"cgroup", required_argument, NULL, OPTION_CGROUP},
    {"container", required_argument, NULL, OPTION_CONTAINER},
    {"categories", required_argument, NULL, OPTION_CATEGORIES},
    {"env", required_argument, NULL, OPTION_ENV},
    {"engine", required_argument, NULL, OPTION_ENGINE},
    {"buffer", required_argument, NULL, OPTION_BUFFER},
    {"self", no_argument, NULL, OPTION_SELF},
    {"no-demangle", no_argument, NULL, OPTION_NO_DEMANGLE},
    {"lines", no_argument, NULL, OPTION_LINES},
    {"symbol-memory", required_argument, NULL, OPTION_SYMBOL_MEMORY},
    {"flight", required_argument, NULL, OPTION_FLIGHT},
    {"flight-after", required_argument, NULL, OPTION_FLIGHT_AFTER},
    {"flight-bytes", required_argument, NULL, OPTION_FLIGHT_BYTES},
    {"flight-at-end", no_argument, NULL, OPTION_FLIGHT_AT_END},
    {"trigger", required_argument, NULL, OPTION_TRIGGER},
    {"dump-distance", required_argument, NULL, OPTION_DUMP_DISTANCE},
    {"dumps-max", required_argument, NULL, OPTION_DUMPS_MAX},
    {"max-cpu", required_argument, NULL, OPTION_MAX_CPU},
    {"max-memory", required_argument, NULL, OPTION_MAX_MEMORY},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

// With less, files are read again and again.
#define MIN_SYMBOL_BYTES (16ULL << 20)
#define MAX_FLIGHT_NS (24ULL * 3600 * CLOCK_NS_PER_S)

// What was given, where it takes more than one option to know what it means.
struct given {
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

static bool add_pid(struct record_options *options, uint32_t pid, struct error *err)
{
    for (uint32_t i = 0; i < options->pid_cnt; i++) {
        if (options->pids[i] == pid) {
            return true;
        }
    }
    if (options->pid_cnt == RECORD_MAX_PIDS) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p: at most %d processes", RECORD_MAX_PIDS);
    }
    options->pids[options->pid_cnt++] = pid;
    return true;
}

static bool add_pids(struct record_options *options, const char *list, struct error *err)
{
    char copy[8192];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p: the list is too long");
    }
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        uint64_t pid = 0;
        if (!number_text_parse(item, 1, 1 << 22, &pid)) {
            return error_set(err, ERROR_BAD_ARGUMENT,
                             "-p %s: '%s' is no process id (expected PID[,PID...])", list, item);
        }
        if (!add_pid(options, (uint32_t)pid, err)) {
            return false;
        }
    }
    return true;
}

static bool wrong(const char *option, const char *value, const char *expected, struct error *err)
{
    return error_set(err, ERROR_BAD_ARGUMENT, "%s %s: expected %s", option, value, expected);
}

static bool set_rate(struct given *given, const char *value, struct error *err)
{
    uint64_t rate = 0;
    if (!number_text_parse(value, 1, RECORD_MAX_RATE_HZ, &rate)) {
        return wrong("-F", value, "samples per second, 1 to 100000", err);
    }
    given->rate_hz = (uint32_t)rate;
    return true;
}

static bool set_format(struct given *given, const char *value, struct error *err)
{
    given->has_format = true;
    given->is_text = strcmp(value, "perf-script") == 0;
    return given->is_text || strcmp(value, "capture") == 0 ||
           wrong("--format", value, "capture or perf-script", err);
}

static bool set_duration(uint64_t *duration_ns, const char *option, const char *value,
                         struct error *err)
{
    return number_text_parse_seconds(value, duration_ns) ||
           wrong(option, value, "seconds, more than 0", err);
}

static bool set_rotate_bytes(struct record_options *options, const char *value, struct error *err)
{
    return number_text_parse_bytes(value, 1024, UINT64_MAX, &options->rotate_bytes) ||
           wrong("--rotate-bytes", value, "1K or more", err);
}

static bool set_max_files(struct record_options *options, const char *value, struct error *err)
{
    uint64_t cnt = 0;
    if (!number_text_parse(value, 1, 1000000, &cnt)) {
        return wrong("--max-files", value, "a count, 1 or more", err);
    }
    options->max_files = (uint32_t)cnt;
    return true;
}

static bool set_spool_bytes(struct record_options *options, const char *value, struct error *err)
{
    return number_text_parse_bytes(value, 1 << 20, UINT64_MAX, &options->spool_bytes) ||
           wrong("--spool-bytes", value, "1M or more", err);
}

static bool set_engine(struct record_options *options, const char *name, struct error *err)
{
    static const char *const NAMES[] = {
        [SYSTEM_ENGINE_AUTO] = "auto",
        [SYSTEM_ENGINE_BPF] = "bpf",
        [SYSTEM_ENGINE_PERF_EVENTS] = "perf-events",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            options->engine = (enum system_engine)i;
            return true;
        }
    }
    return wrong("--engine", name, "auto, bpf or perf-events", err);
}

static bool set_buffer(struct record_options *options, const char *value, struct error *err)
{
    uint64_t bytes = 0;
    if (!number_text_parse_bytes(value, SYSTEM_SAMPLER_MIN_RING_BYTES,
                                 SYSTEM_SAMPLER_MAX_RING_BYTES, &bytes)) {
        return wrong("--buffer", value, "4K to 1G", err);
    }
    options->ring_bytes = (uint32_t)bytes;
    return true;
}

static bool set_symbol_memory(struct record_options *options, const char *value, struct error *err)
{
    return number_text_parse_bytes(value, 1 << 20, 1ULL << 40, &options->symbol_bytes) ||
           wrong("--symbol-memory", value, "1M to 1T", err);
}

static bool set_max_cpu(struct record_options *options, const char *value, struct error *err)
{
    char *end = NULL;
    double percent = value[0] >= '0' && value[0] <= '9' ? strtod(value, &end) : 0;
    bool whole = end != NULL && (*end == '\0' || strcmp(end, "%") == 0);
    if (!whole || !(percent > 0 && percent <= 100)) {
        return wrong("--max-cpu", value, "percent of the machine, as 0.5%", err);
    }
    options->max_cpu_percent = percent;
    return true;
}

static bool set_max_memory(struct record_options *options, const char *value, struct error *err)
{
    return number_text_parse_bytes(value, 32 << 20, 1ULL << 40, &options->max_memory_bytes) ||
           wrong("--max-memory", value, "32M to 1T", err);
}

static bool unknown_option(char **argv, struct error *err)
{
    return error_set(err, ERROR_BAD_ARGUMENT, "unknown option, or one without its value: %s",
                     argv[optind - 1]);
}

static bool set_categories(struct record_options *options, const char *list, struct error *err)
{
    char copy[1024];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--categories: the list is too long");
    }
    char *rest = copy;
    bool ok = true;
    for (char *name = strsep(&rest, ","); ok && name != NULL; name = strsep(&rest, ",")) {
        struct error why = {0};
        ok = system_category_add(&options->categories, name, &why) ||
             error_set(err, ERROR_BAD_ARGUMENT, "--categories: %s", why.detail);
    }
    return ok;
}

// Behind the categories, wherever --env stands.
static bool add_variable(struct given *given, const char *name, struct error *err)
{
    if (given->variable_cnt == IDENTITY_MAX_VARIABLES) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--env: at most %d variables",
                         IDENTITY_MAX_VARIABLES);
    }
    given->variables[given->variable_cnt++] = name;
    return true;
}

static bool combine_variables(struct record_options *options, const struct given *given,
                              struct error *err)
{
    bool ok = true;
    for (uint32_t i = 0; i < given->variable_cnt && ok; i++) {
        char name[SYSTEM_VARIABLE_BYTES + 8];
        (void)snprintf(name, sizeof name, "env:%s", given->variables[i]);
        ok = system_category_add(&options->categories, name, err);
    }
    return ok;
}

static bool take_filter(struct record_options *options, int option, struct error *err)
{
    switch (option) {
    case OPTION_TID:
        return record_filter_threads(&options->filter, optarg, err);
    case OPTION_COMM:
        return record_filter_comms(&options->filter, optarg, err);
    case OPTION_UID:
        return record_filter_users(&options->filter, optarg, err);
    case OPTION_CONTAINER:
        return record_filter_containers(&options->filter, optarg, err);
    default:
        return record_filter_cgroups(&options->filter, optarg, err);
    }
}

static bool set_flight(struct flight_options *flight, const char *value, struct error *err)
{
    return (number_text_parse_duration(value, &flight->keep_ns) &&
            flight->keep_ns >= CLOCK_NS_PER_S && flight->keep_ns <= MAX_FLIGHT_NS) ||
           wrong("--flight", value, "a time, 1s to 24h", err);
}

// 0 is a time here.
static bool set_pause(uint64_t *pause_ns, const char *option, const char *value, struct error *err)
{
    if (strcmp(value, "0") == 0) {
        *pause_ns = 0;
        return true;
    }
    return (number_text_parse_duration(value, pause_ns) && *pause_ns <= MAX_FLIGHT_NS) ||
           wrong(option, value, "a time, 0 to 24h", err);
}

static bool set_dumps_max(struct flight_options *flight, const char *value, struct error *err)
{
    uint64_t cnt = 0;
    if (!number_text_parse(value, 1, 1000000, &cnt)) {
        return wrong("--dumps-max", value, "a count, 1 or more", err);
    }
    flight->dumps_max = (uint32_t)cnt;
    return true;
}

static bool add_trigger(struct flight_options *flight, const char *value, struct error *err)
{
    if (flight->trigger_cnt == HOST_TRIGGERS_MAX) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--trigger: at most %d of them",
                         HOST_TRIGGERS_MAX);
    }
    return record_trigger_parse(&flight->triggers[flight->trigger_cnt++], value, err);
}

static bool take_flight(struct flight_options *flight, int option, struct error *err)
{
    switch (option) {
    case OPTION_FLIGHT:
        return set_flight(flight, optarg, err);
    case OPTION_FLIGHT_AFTER:
        return set_pause(&flight->after_ns, "--flight-after", optarg, err);
    case OPTION_FLIGHT_BYTES:
        return number_text_parse_bytes(optarg, 1 << 20, 1ULL << 40, &flight->max_bytes) ||
               wrong("--flight-bytes", optarg, "1M to 1T", err);
    case OPTION_FLIGHT_AT_END:
        flight->at_end = true;
        return true;
    case OPTION_TRIGGER:
        return add_trigger(flight, optarg, err);
    case OPTION_DUMP_DISTANCE:
        return set_pause(&flight->distance_ns, "--dump-distance", optarg, err);
    default:
        return set_dumps_max(flight, optarg, err);
    }
}

static bool take_option(struct record_options *options, struct given *given, int option,
                        char **argv, struct error *err)
{
    switch (option) {
    case 'a':
        given->all = true;
        return true;
    case 'p':
        return add_pids(options, optarg, err);
    case 'F':
        return set_rate(given, optarg, err);
    case 'e':
        given->has_events = true;
        return record_events_add(&options->events, &given->event_rate_hz, optarg, err);
    case 'd':
        return set_duration(&options->duration_ns, "-d", optarg, err);
    case 'o':
        given->output = optarg;
        return true;
    case OPTION_FORMAT:
        return set_format(given, optarg, err);
    case OPTION_ROTATE_SECONDS:
        return set_duration(&options->rotate_ns, "--rotate-seconds", optarg, err);
    case OPTION_ROTATE_BYTES:
        return set_rotate_bytes(options, optarg, err);
    case OPTION_MAX_FILES:
        return set_max_files(options, optarg, err);
    case OPTION_SPOOL_BYTES:
        return set_spool_bytes(options, optarg, err);
    case OPTION_TID:
    case OPTION_COMM:
    case OPTION_UID:
    case OPTION_CGROUP:
    case OPTION_CONTAINER:
        return take_filter(options, option, err);
    case OPTION_CATEGORIES:
        return set_categories(options, optarg, err);
    case OPTION_ENV:
        return add_variable(given, optarg, err);
    case OPTION_ENGINE:
        return set_engine(options, optarg, err);
    case OPTION_BUFFER:
        return set_buffer(options, optarg, err);
    case OPTION_SELF:
        options->includes_self = true;
        return true;
    case OPTION_NO_DEMANGLE:
        options->keeps_mangled = true;
        return true;
    case OPTION_LINES:
        options->tells_lines = true;
        return true;
    case OPTION_SYMBOL_MEMORY:
        return set_symbol_memory(options, optarg, err);
    case OPTION_MAX_CPU:
        return set_max_cpu(options, optarg, err);
    case OPTION_MAX_MEMORY:
        return set_max_memory(options, optarg, err);
    case OPTION_FLIGHT_AFTER:
    case OPTION_FLIGHT_BYTES:
    case OPTION_FLIGHT_AT_END:
    case OPTION_TRIGGER:
    case OPTION_DUMP_DISTANCE:
    case OPTION_DUMPS_MAX:
        given->has_flight_option = true;
        return take_flight(&options->flight, option, err);
    case OPTION_FLIGHT:
        return take_flight(&options->flight, option, err);
    case 'q':
        options->talk = RECORD_TALK_QUIET;
        return true;
    case 'v':
        options->talk = RECORD_TALK_VERBOSE;
        return true;
    case 'h':
        options->action = RECORD_ACTION_HELP;
        return true;
    default:
        return unknown_option(argv, err);
    }
}

static bool take_options(struct record_options *options, struct given *given, int argc, char **argv,
                         struct error *err)
{
    int option = 0;
    optind = 0; // GNU: begin anew
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+ap:F:e:d:o:qvh", LONG_OPTIONS, NULL)) != -1) {
        if (!take_option(options, given, option, argv, err)) {
            return false;
        }
    }
    if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
        return error_set(err, ERROR_BAD_ARGUMENT, "'%s': a command to run goes behind --",
                         argv[optind]);
    }
    options->command = optind < argc ? argv + optind : NULL;
    return true;
}

// --- the whole ----------------------------------------------------------------

static bool choose_output(struct record_options *options, const struct given *given,
                          struct error *err)
{
    if (given->output == NULL) {
        return set_default_output(options, given->is_text, err);
    }
    return set_output(options, given->output, err) &&
           (!given->has_format || given->is_text != options->is_capture ||
            error_set(err, ERROR_BAD_ARGUMENT, "-o %s: its suffix and --format disagree",
                      given->output));
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

static bool combine(struct record_options *options, const struct given *given, struct error *err)
{
    if (given->has_events) {
        options->rate_hz = given->event_rate_hz;
    }
    if (given->rate_hz != 0 && options->rate_hz != 0) {
        options->rate_hz = given->rate_hz;
    }
    bool rotates = options->rotate_ns > 0 || options->rotate_bytes > 0;
    bool flies = options->flight.keep_ns > 0;
    if (given->all && options->pid_cnt > 0) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-a and -p exclude each other");
    }
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
    if (given->has_flight_option && !flies) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "--trigger, --flight-..., --dump-distance and --dumps-max are for "
                         "--flight TIME");
    }
    options->naming = rotates || flies ? FILE_NAMING_SERIES : FILE_NAMING_SINGLE;
    if (given->all || (options->pid_cnt == 0 && options->command == NULL)) {
        options->scope = SYSTEM_SCOPE_HOST;
    } else {
        options->scope = options->command != NULL ? SYSTEM_SCOPE_TREES : SYSTEM_SCOPE_PROCESSES;
    }
    if (!fit_memory(options, err) || !combine_variables(options, given, err)) {
        return false;
    }
    return choose_output(options, given, err);
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

bool record_options_parse(struct record_options *options, int argc, char **argv, struct error *err)
{
    struct given given = {0};
    *options = (struct record_options){
        .rate_hz = RECORD_DEFAULT_RATE_HZ,
        .ring_bytes = SYSTEM_SAMPLER_DEFAULT_RING_BYTES,
        .symbol_bytes = FILE_NAMES_DEFAULT_SYMBOL_BYTES,
        .flight = {.after_ns = 5ULL * CLOCK_NS_PER_S,
                   .max_bytes = RECORD_DEFAULT_FLIGHT_BYTES,
                   .distance_ns = 60ULL * CLOCK_NS_PER_S,
                   .dumps_max = 10},
        .talk = RECORD_TALK_NORMAL,
    };
    if (!take_options(options, &given, argc, argv, err)) {
        return false;
    }
    describe(options, argc, argv);
    return options->action == RECORD_ACTION_HELP || combine(options, &given, err);
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

static bool check_pid(uint32_t pid, struct error *err)
{
    char path[64];
    char line[128];
    unsigned process = pid;
    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p %u: there is no such process", pid);
    }
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Tgid: %u", &process) != 1) {
    }
    (void)fclose(file);
    return process == pid ||
           error_set(err, ERROR_BAD_ARGUMENT,
                     "-p %u: that is a thread of process %u, give its process", pid, process);
}

bool record_options_check(const struct record_options *options, struct error *err)
{
    bool ok = check_rate(options->rate_hz, err);
    for (uint32_t i = 0; i < options->pid_cnt && ok; i++) {
        ok = check_pid(options->pids[i], err);
    }
    return ok;
}

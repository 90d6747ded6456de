// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "base/log.h"
#include "cli/child_command.h"
#include "cli/command.h"
#include "cli/dump_signal.h"
#include "cli/record_help.h"
#include "cli/record_options.h"
#include "cli/record_progress.h"
#include "cli/stop_signal.h"
#include "record/system/privileges.h"
#include "record/system/system_recording.h"
#include "sinks/capture_sink.h"
#include "sinks/perf_script_sink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STEP_MS = 2000,
    SHOWING_STEP_MS = 1000,
    WATCHING_STEP_MS = 250,
    ALIVE_CHECK_MS = 500,
    NICE_TO_HAVE_FILES = 65536, // two per CPU and a few
};

#define ROTATED_SELDOM_NS (60ULL * CLOCK_NS_PER_S)

struct record_run {
    struct record_options options;
    struct system_recording *recording;
    struct record_progress progress;
    struct child_command child;
    uint64_t alive_checked_ns;
    uint32_t told_dumps;
};

static void print_log(void *context, enum log_level level, const char *line)
{
    static const char *const PREFIXES[] = {"", "warning: ", "", ""};
    record_progress_clear(context);
    (void)fprintf(stderr, "flameprof: %s%s\n", PREFIXES[level], line);
}

static void install_log(struct record_run *run)
{
    static const enum log_level LEVELS[] = {
        [RECORD_TALK_QUIET] = LOG_LEVEL_ERROR,
        [RECORD_TALK_NORMAL] = LOG_LEVEL_WARN,
        [RECORD_TALK_VERBOSE] = LOG_LEVEL_DEBUG,
    };
    log_set_sink(print_log, &run->progress, LEVELS[run->options.talk]);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < NICE_TO_HAVE_FILES ? limit.rlim_max : NICE_TO_HAVE_FILES;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct system_recording_options recording_options(const struct record_options *options)
{
    const struct sink *sink = options->output.is_capture ? &CAPTURE_SINK : &PERF_SCRIPT_SINK;
    return (struct system_recording_options){
        .engine = options->engine,
        .sampler =
            {
                .period_ns = options->rate_hz == 0 ? 0 : CLOCK_NS_PER_S / options->rate_hz,
                .events = options->events,
                .ring_bytes = (uint32_t)options->ring_bytes,
                .scope = options->scope,
                .pids = options->pids.items,
                .pid_cnt = options->pids.cnt,
                .excluded_pid = options->includes_self ? 0 : (uint32_t)getpid(),
                .filter = &options->filter,
            },
        .output =
            {
                .files =
                    {
                        .directory = options->output.directory,
                        .stem = options->output.stem,
                        .suffix = options->output.suffix,
                        .naming = options->naming,
                        .compression = options->output.compression,
                        .max_files = options->max_files,
                        .adopts_leftovers = options->naming == FILE_NAMING_SERIES,
                        .max_total_bytes = options->spool_bytes,
                    },
                .sink = sink,
                .max_file_ns = options->rotate_ns,
                .max_file_bytes = options->rotate_bytes,
                .max_held_bytes = options->max_memory_bytes / 4,
            },
        .names =
            {
                .max_symbol_bytes = options->symbol_bytes,
                .keeps_mangled = options->keeps_mangled,
                .tells_lines = options->tells_lines,
                .tells_inlined = options->tells_inlined,
            },
        .options_text = options->text,
        .categories = options->categories,
        .flight = options->flight,
        .limits = {.cpu_percent = options->max_cpu_percent,
                   .memory_bytes = options->max_memory_bytes,
                   .cpu_cnt = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN)},
    };
}

// --- begin --------------------------------------------------------------------

// One line where less is seen than by BPF.
static void say_level(const struct record_run *run)
{
    const struct system_source *source = system_recording_source(run->recording);
    const char *reason = system_source_reason(source);
    if (run->options.talk == RECORD_TALK_QUIET || system_source_lost(source)[0] == '\0') {
        return;
    }
    (void)fprintf(stderr, "flameprof: sampling by %s; not seen: %s%s%s\n",
                  system_source_level(source), system_source_lost(source),
                  reason[0] == '\0' ? "" : "; no BPF: ", reason);
}

static bool prepare_command(struct record_run *run, struct error *err)
{
    char **command = run->options.command;
    if (command == NULL) {
        return true;
    }
    return child_command_prepare(&run->child, command, err) &&
           (run->options.scope == SYSTEM_SCOPE_HOST ||
            system_recording_trace(run->recording, run->child.pid, err));
}

static bool begin(struct record_run *run, struct error *err)
{
    struct system_recording_options options = recording_options(&run->options);
    run->recording = system_recording_create(&options, err);
    if (run->recording == NULL || !prepare_command(run, err)) {
        return false;
    }
    raise_file_limit(); // for us, not for the command
    if (!system_recording_start(run->recording, err) ||
        !privileges_drop(run->options.output.directory, err)) {
        return false;
    }
    say_level(run);
    if (system_source_has_host_pids(system_recording_source(run->recording)) &&
        !privileges_host_pids()) {
        log_warn("this container has process ids of its own: processes outside it cannot be "
                 "named, and -p needs the host's ids; share the host's pid namespace");
    }
    return run->child.pid == 0 || child_command_go(&run->child, run->options.command[0], err);
}

// --- go on until --------------------------------------------------------------

// Ended, or a zombie that nobody has asked for yet.
static bool is_gone(uint32_t pid)
{
    char path[32];
    char line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT || errno == ESRCH;
    }
    bool has_line = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    const char *behind_name = strrchr(line, ')');
    return !has_line || (behind_name != NULL && strncmp(behind_name, ") Z", 3) == 0);
}

static bool targets_are_gone(struct record_run *run, uint64_t elapsed_ns)
{
    if (run->options.scope != SYSTEM_SCOPE_PROCESSES ||
        elapsed_ns - run->alive_checked_ns < ALIVE_CHECK_MS * (uint64_t)CLOCK_NS_PER_MS) {
        return false;
    }
    run->alive_checked_ns = elapsed_ns;
    for (uint32_t i = 0; i < run->options.pids.cnt; i++) {
        if (!is_gone(run->options.pids.items[i])) {
            return false;
        }
    }
    return true;
}

static bool is_over(struct record_run *run, uint64_t elapsed_ns)
{
    bool time_is_up = run->options.duration_ns != 0 && elapsed_ns >= run->options.duration_ns;
    return time_is_up || stop_signal_seen() != 0 ||
           system_recording_limit(run->recording) != NULL || child_command_has_ended(&run->child) ||
           targets_are_gone(run, elapsed_ns);
}

// Signals end a step; what else ends it, or begins a dump, is looked at. Where nobody does
// either, half as many wake-ups are a sixth of the CPU at 99 Hz.
static int longest_step_ms(const struct record_run *run)
{
    const struct record_options *options = &run->options;
    bool watches = options->flight.keep_ns != 0 || run->child.pid != 0 ||
                   options->scope == SYSTEM_SCOPE_PROCESSES;
    bool shows = options->talk != RECORD_TALK_QUIET && isatty(STDERR_FILENO) != 0;
    bool rotates_soon = options->rotate_ns != 0 && options->rotate_ns < ROTATED_SELDOM_NS;
    return watches ? WATCHING_STEP_MS : shows || rotates_soon ? SHOWING_STEP_MS : STEP_MS;
}

static int step_ms(const struct record_run *run, uint64_t elapsed_ns)
{
    int longest_ms = longest_step_ms(run);
    uint64_t left_ns = run->options.duration_ns - elapsed_ns;
    bool is_last =
        run->options.duration_ns != 0 && left_ns < (uint64_t)longest_ms * (uint64_t)CLOCK_NS_PER_MS;
    return is_last ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : longest_ms;
}

// A second signal while a dump goes on has its own afterwards.
static void serve_dump(struct record_run *run, const struct system_recording_stats *stats)
{
    if (stats->is_flight && dump_signal_is_due() &&
        system_recording_dump(run->recording, "SIGUSR1")) {
        dump_signal_take();
    }
    if (run->told_dumps != stats->flight.ended_cnt && run->options.talk != RECORD_TALK_QUIET) {
        run->told_dumps = stats->flight.ended_cnt;
        record_progress_clear(&run->progress);
        record_progress_dump(&stats->flight);
    }
}

static void go_on(struct record_run *run)
{
    uint64_t elapsed_ns = 0;
    while (!is_over(run, elapsed_ns)) {
        system_recording_step(run->recording, step_ms(run, elapsed_ns));
        struct system_recording_stats stats = system_recording_stats(run->recording);
        elapsed_ns = stats.elapsed_ns;
        serve_dump(run, &stats);
        if (run->options.talk != RECORD_TALK_QUIET) {
            record_progress_show(&run->progress, &stats);
        }
    }
}

// --- end ----------------------------------------------------------------------

static void summarise(const struct record_run *run, const struct system_recording_stats *stats)
{
    char path[FILE_SERIES_PATH_BYTES];
    system_recording_path(run->recording, path, sizeof path);
    struct record_summary summary = {
        .rate_hz = run->options.rate_hz,
        .path = strncmp(path, "./", 2) == 0 ? path + 2 : path,
        .names_a_process = run->options.scope != SYSTEM_SCOPE_HOST,
    };
    if (run->options.talk != RECORD_TALK_QUIET) {
        record_progress_summary(&summary, stats);
    }
}

static int end(struct record_run *run)
{
    struct error err = {0};
    struct system_recording_stats before = system_recording_stats(run->recording);
    const char *limit = system_recording_limit(run->recording);
    bool ok = system_recording_stop(run->recording, limit == NULL ? "complete" : limit, &err);
    struct system_recording_stats stats = system_recording_stats(run->recording);
    stats.ticks.cpu_cnt = before.ticks.cpu_cnt; // the clocks are closed now
    record_progress_clear(&run->progress);
    if (run->options.talk != RECORD_TALK_QUIET && run->told_dumps != stats.flight.ended_cnt) {
        record_progress_dump(&stats.flight);
    }
    summarise(run, &stats);
    child_command_wait(&run->child, stop_signal_seen());
    if (ok && limit != NULL) {
        ok = error_set(&err, ERROR_LIMIT, "%s", limit);
    }
    if (!ok) {
        return command_failed(&err);
    }
    if (run->child.pid != 0) {
        return child_command_exit_code(&run->child);
    }
    return stats.file_cnt == 0 && !stats.is_flight ? EXIT_CODE_EMPTY : EXIT_CODE_DONE;
}

static int record(struct record_run *run)
{
    struct error err = {0};
    int exit_code = EXIT_CODE_DONE;
    if (begin(run, &err)) {
        go_on(run);
        exit_code = end(run);
    } else {
        child_command_wait(&run->child, 0);
        exit_code = command_failed(&err);
    }
    system_recording_destroy(run->recording);
    return exit_code;
}

int cmd_record(int argc, char **argv)
{
    struct error err = {0};
    struct record_run run = {.child = {.gate_fd = -1, .result_fd = -1}};
    if (!record_options_parse(&run.options, argc, argv, &err)) {
        return command_misused("record", &err);
    }
    if (run.options.action == RECORD_ACTION_HELP) {
        (void)fputs(record_help(), stdout);
        return EXIT_CODE_DONE;
    }
    if (!record_options_check(&run.options, &err)) {
        return command_misused("record", &err);
    }
    heap_keep_no_large();
    install_log(&run);
    stop_signal_install();
    if (run.options.flight.keep_ns != 0) {
        dump_signal_install();
    }
    return record(&run);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/record_options.h"

#include "base/clock.h"
#include "cli/record_help.h"
#include "command_words.h"
#include "test.h"

#include <unistd.h>

static struct record_options options;
static struct error err;

static bool parse(const char *line)
{
    static struct command_words words;
    command_words_split(&words, (char[]){"record"}, line);
    memset(&err, 0, sizeof err);
    return record_options_parse(&options, words.argc, words.argv, &err);
}

TEST(without_options_it_is_the_host_until_a_signal)
{
    CHECK(parse(""));
    CHECK_UINT(options.rate_hz, 99);
    CHECK_INT(options.scope, SYSTEM_SCOPE_HOST);
    CHECK_UINT(options.duration_ns, 0);
    CHECK_INT(options.naming, FILE_NAMING_SINGLE);
    CHECK_INT(options.output.compression, FILE_COMPRESSION_NONE);
    CHECK_STR(options.output.directory, ".");
    CHECK_HAS(options.output.stem, "flameprof-20");
    CHECK_UINT(strlen(options.output.stem), strlen("flameprof-YYYYMMDDTHHMMSSZ"));
    CHECK_STR(options.output.suffix, ".fpc");
    CHECK(options.output.is_capture);
}

TEST(the_format_is_a_capture_unless_text_is_asked_for)
{
    static const struct {
        const char *line;
        const char *suffix;
        bool is_capture;
    } CASES[] = {
        {"--format capture", ".fpc", true},
        {"--format perf-script", ".perf", false},
        {"-o x.fpc", ".fpc", true},
        {"-o x.perf", ".perf", false},
        {"-o x.txt", ".txt", false},
        {"-o x.txt.gz", ".txt.gz", false},
        {"-o x.perf.gz --format perf-script", ".perf.gz", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(parse(CASES[i].line));
        CHECK_STR(options.output.suffix, CASES[i].suffix);
        CHECK_INT(options.output.is_capture, CASES[i].is_capture);
    }
}

TEST(everything_given)
{
    CHECK(parse("-F 499 -p 1,2 --pid 3 -d 2.5 -o /var/x.y/host.perf.gz -q --buffer 1M --self"));
    CHECK_UINT(options.rate_hz, 499);
    CHECK_INT(options.scope, SYSTEM_SCOPE_PROCESSES);
    CHECK_UINT(options.pids.cnt, 3);
    CHECK_UINT(options.pids.items[2], 3);
    CHECK_UINT(options.duration_ns, 2500000000);
    CHECK_STR(options.output.directory, "/var/x.y");
    CHECK_STR(options.output.stem, "host");
    CHECK_INT(options.output.compression, FILE_COMPRESSION_GZIP);
    CHECK_INT(options.talk, RECORD_TALK_QUIET);
    CHECK_UINT(options.ring_bytes, 1 << 20);
    CHECK(options.includes_self);
}

TEST(names)
{
    CHECK(parse(""));
    CHECK(!options.keeps_mangled);
    CHECK(!options.tells_lines);
    CHECK_UINT(options.symbol_bytes, 64 << 20);
    CHECK(!options.tells_inlined);
    CHECK(parse("--no-demangle --lines --inlines --symbol-memory 8M"));
    CHECK(options.tells_lines);
    CHECK(options.tells_inlined);
    CHECK(options.keeps_mangled);
    CHECK_UINT(options.symbol_bytes, 8 << 20);
    CHECK(!parse("--symbol-memory 1"));
    CHECK_HAS(err.detail, "--symbol-memory 1: expected 1M to 1T");
}

TEST(the_engine)
{
    CHECK(parse(""));
    CHECK_INT(options.engine, SYSTEM_ENGINE_AUTO);
    CHECK(parse("--engine bpf"));
    CHECK_INT(options.engine, SYSTEM_ENGINE_BPF);
    CHECK(parse("--engine perf-events"));
    CHECK_INT(options.engine, SYSTEM_ENGINE_PERF_EVENTS);
    CHECK(!parse("--engine perf"));
    CHECK_HAS(err.detail, "--engine perf: expected auto, bpf or perf-events");
}

TEST(the_same_process_twice_is_one)
{
    CHECK(parse("-p 7,7 -p 7"));
    CHECK_UINT(options.pids.cnt, 1);
}

TEST(output_in_the_root_directory_and_here)
{
    CHECK(parse("-o /x.perf"));
    CHECK_STR(options.output.directory, "/");
    CHECK_STR(options.output.stem, "x");
    CHECK(parse("-o x.perf"));
    CHECK_STR(options.output.directory, ".");
    CHECK(parse("-o d.perf/x.perf"));
    CHECK_STR(options.output.directory, "d.perf");
}

TEST(rotation_makes_a_series)
{
    CHECK(parse("--rotate-seconds 60 --rotate-bytes 10M --max-files 5 -o s.perf"));
    CHECK_INT(options.naming, FILE_NAMING_SERIES);
    CHECK_UINT(options.rotate_ns, 60000000000);
    CHECK_UINT(options.rotate_bytes, 10 << 20);
    CHECK_UINT(options.max_files, 5);
    CHECK(parse("--rotate-seconds 60"));
    CHECK_STR(options.output.stem, "flameprof"); // the time is added per file
}

TEST(a_command)
{
    CHECK(parse("-o x.perf -- make -j4 -o y"));
    CHECK_INT(options.scope, SYSTEM_SCOPE_TREES);
    CHECK_STR(options.command[0], "make");
    CHECK_STR(options.command[3], "y");
    CHECK(options.command[4] == NULL);
    CHECK_STR(options.output.stem, "x");
    CHECK(parse("-a -- make"));
    CHECK_INT(options.scope, SYSTEM_SCOPE_HOST);
}

TEST(arguments_of_the_command_are_not_written_down)
{
    CHECK(parse("-F 10 -- curl -u user:secret"));
    CHECK_STR(options.text, "-F 10 -- curl");
}

TEST(wrong_options_say_what_was_expected)
{
    static const struct {
        const char *line;
        const char *part;
    } CASES[] = {
        {"-F 0", "-F 0: expected"},
        {"-F x", "1 to 100000"},
        {"-F 100001", "1 to 100000"},
        {"-d 0", "seconds"},
        {"-d soon", "seconds"},
        {"-p", "without its value"},
        {"-p 0", "no process id"},
        {"-p 1,,2", "no process id"},
        {"-p 1x", "no process id"},
        {"-a -p 1", "exclude each other"},
        {"-o x.log", ".perf.gz"},
        {"-o x.fpc --format perf-script", "disagree"},
        {"-o x.perf --format capture", "disagree"},
        {"--format text", "capture or perf-script"},
        {"-o .perf", "a name before it"},
        {"-o d/", ".fpc (capture)"},
        {"-o -", ".fpc (capture)"},
        {"--rotate-seconds 0", "seconds"},
        {"--rotate-bytes 10", "1K or more"},
        {"--max-files 0", "a count"},
        {"--max-files 3", "--rotate-seconds"},
        {"--buffer 1", "4K to 1G"},
        {"--wrong", "unknown option"},
        {"-x", "unknown option"},
        {"make", "goes behind --"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(!parse(CASES[i].line));
        CHECK_INT(err.code, ERROR_BAD_ARGUMENT);
        CHECK_HAS(err.detail, CASES[i].part);
    }
}

TEST(help_is_not_checked_further)
{
    CHECK(parse("--help -o nonsense"));
    CHECK_INT(options.action, RECORD_ACTION_HELP);
    CHECK_HAS(record_help(), "examples");
}

TEST(the_host_is_asked)
{
    char line[64];
    (void)snprintf(line, sizeof line, "-p %d", getpid());
    CHECK(parse(line));
    CHECK(record_options_check(&options, &err));
    CHECK(parse("-p 4194000"));
    CHECK(!record_options_check(&options, &err));
    CHECK_HAS(err.detail, "no such process");
}

TEST(filters_of_every_kind)
{
    CHECK(parse("--tid 7,8 --comm beam.smp,a_name_of_20_bytes__ --uid 0,65534 --uid root"));
    CHECK_UINT(options.filter.thread_cnt, 2);
    CHECK_UINT(options.filter.threads[1], 8);
    CHECK_UINT(options.filter.comm_cnt, 2);
    CHECK_STR(options.filter.comms[0], "beam.smp");
    CHECK_STR(options.filter.comms[1], "a_name_of_20_by"); // what the kernel keeps
    CHECK_UINT(options.filter.user_cnt, 3);
    CHECK_UINT(options.filter.users[2], 0);
    CHECK_INT(options.scope, SYSTEM_SCOPE_HOST);
}

TEST(filters_that_are_none)
{
    static const struct {
        const char *line;
        const char *part;
    } CASES[] = {
        {"--tid x", "no thread id"},
        {"--tid 1,,2", "an empty item"},
        {"--comm ,", "an empty item"},
        {"--uid nobody-like-that", "/etc/passwd"},
        {"--cgroup /no/such/group", "no control group"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK(!parse(CASES[i].line));
        CHECK_HAS(err.detail, CASES[i].part);
    }
}

TEST(a_spool_is_for_a_series)
{
    CHECK(parse("--rotate-seconds 60 --spool-bytes 1G"));
    CHECK_UINT(options.spool_bytes, 1 << 30);
    CHECK(!parse("--spool-bytes 1G"));
    CHECK_HAS(err.detail, "--rotate-seconds");
    CHECK(!parse("--rotate-seconds 60 --spool-bytes 10"));
    CHECK_HAS(err.detail, "1M or more");
}

TEST(categories_in_their_order)
{
    CHECK(parse("--env LANG --categories container,env:HOME,mode --categories thread"));
    CHECK_UINT(options.categories.cnt, 5);
    CHECK_INT(options.categories.items[0].category, CATEGORY_CONTAINER);
    CHECK_INT(options.categories.items[1].category, CATEGORY_VARIABLE);
    CHECK_INT(options.categories.items[3].category, CATEGORY_THREAD);
    CHECK_INT(options.categories.items[4].category, CATEGORY_VARIABLE);
    CHECK_STR(options.categories.variables[options.categories.items[1].variable], "HOME");
    CHECK_STR(options.categories.variables[options.categories.items[4].variable], "LANG");
    CHECK(!parse("--categories container,colour"));
    CHECK_HAS(err.detail, "'colour' is no category; there are container, pod");
    CHECK(!parse("--categories env:"));
    CHECK(!parse("--env A --env B --env C --env D --env E --env F --env G --env H --env I"));
    CHECK_HAS(err.detail, "at most 8");
}

TEST(events_and_the_rate)
{
    CHECK(parse("-e off-cpu"));
    CHECK_UINT(options.rate_hz, 0); // no clock
    CHECK(parse("-e off-cpu -e cpu-clock:49"));
    CHECK_UINT(options.rate_hz, 49);
    CHECK(parse("-F 7 -e off-cpu,cpu-clock"));
    CHECK_UINT(options.rate_hz, 7);
    CHECK(parse("-F 7 -e off-cpu"));
    CHECK_UINT(options.rate_hz, 0);
    CHECK(!parse("-e nothing"));
}

TEST(a_flight_recorder)
{
    CHECK(parse("--flight 60s -o /var/tmp/x.perf"));
    CHECK_UINT(options.flight.keep_ns, 60ULL * CLOCK_NS_PER_S);
    CHECK_UINT(options.flight.after_ns, 5ULL * CLOCK_NS_PER_S);
    CHECK_UINT(options.flight.distance_ns, 60ULL * CLOCK_NS_PER_S);
    CHECK_UINT(options.flight.dumps_max, 10);
    CHECK_UINT(options.flight.max_bytes, 32 << 20);
    CHECK_INT(options.naming, FILE_NAMING_SERIES);
    CHECK(parse("--flight 5m --trigger load>8 --trigger io-pressure>20 --flight-after 0 "
                "--flight-bytes 8M --flight-at-end --dump-distance 10s --dumps-max 3 "
                "--max-files 5 --spool-bytes 1M"));
    CHECK_UINT(options.flight.trigger_cnt, 2);
    CHECK_INT(options.flight.triggers[1].gauge, HOST_IO_PRESSURE);
    CHECK_UINT(options.flight.after_ns, 0);
    CHECK(options.flight.at_end);
    CHECK_UINT(options.flight.dumps_max, 3);
}

TEST(a_flight_recorder_writes_no_series_of_its_own)
{
    CHECK(!parse("--flight 60s --rotate-seconds 10"));
    CHECK_HAS(err.detail, "choose one");
    CHECK(!parse("--trigger load>8"));
    CHECK_HAS(err.detail, "are for --flight");
    CHECK(!parse("--flight 0.5"));
    CHECK_HAS(err.detail, "--flight 0.5: expected a time, 1s to 24h");
    CHECK(!parse("--flight 60s --dumps-max 0"));
    CHECK(!parse("--flight 60s --trigger x>8"));
}

TEST(a_budget)
{
    CHECK(parse("--max-cpu 0.5% --max-memory 60M --flight 60s"));
    CHECK(options.max_cpu_percent == 0.5);
    CHECK_UINT(options.max_memory_bytes, 60 << 20);
    CHECK_UINT(options.symbol_bytes, 16 << 20);
    CHECK_UINT(options.flight.max_bytes, 30 << 20);
    CHECK(parse("--max-cpu 2"));
    CHECK(options.max_cpu_percent == 2);
    static const char *const WRONG[] = {
        "--max-cpu 0",   "--max-cpu 101",    "--max-cpu 1x",
        "--max-cpu nan", "--max-memory 15M", "--max-memory 32M --flight 9 --flight-bytes 17M"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        CHECK(!parse(WRONG[i]));
    }
}

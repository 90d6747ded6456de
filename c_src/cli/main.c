// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include "base/version.h"

#include <stdio.h>
#include <string.h>

static const struct command COMMANDS[] = {
    {"record", "sample what runs on this host's CPUs into a file", cmd_record},
    {"top", "show which functions and processes a file is about", cmd_top},
    {"report", "tell on a page what a file is about", cmd_report},
    {"heatmap", "draw a metric over time on the terminal", cmd_heatmap},
    {"flamegraph", "draw a flame graph on the terminal", cmd_flamegraph},
    {"diff", "show what changed between two files or two ranges", cmd_diff},
    {"export", "write heatmaps, flame graphs, folded stacks, CSV", cmd_export},
    {"script", "write perf-script text: a capture as text", cmd_script},
    {"convert", "make a compact capture of text, folded stacks, ...", cmd_convert},
    {"merge", "make one capture of several files", cmd_merge},
    {"split", "cut a file into captures by time", cmd_split},
    {"info", "show what is in a file: header, counts, sums, gaps", cmd_info},
};

enum { COMMAND_CNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_help(FILE *to)
{
    (void)fputs("usage: flameprof COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < COMMAND_CNT; i++) {
        (void)fprintf(to, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    }
    (void)fputs("\nflameprof COMMAND --help tells more; flameprof --version tells the version.\n"
                "\n"
                "  flameprof record -d 10 -o host.fpc     the whole host for ten seconds\n"
                "  flameprof top host.fpc                 what it was doing\n"
                "  flameprof heatmap host.fpc             when\n"
                "  flameprof flamegraph host.fpc          how it came to that\n",
                to);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_CNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *argument, const char *a, const char *b, const char *c)
{
    return strcmp(argument, a) == 0 || strcmp(argument, b) == 0 || strcmp(argument, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_CODE_USAGE;
    }
    if (is_one_of(argv[1], "--help", "-h", "help")) {
        print_help(stdout);
        return EXIT_CODE_DONE;
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        (void)printf("flameprof %s\n", FLAME_PROF_VERSION);
        return EXIT_CODE_DONE;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        (void)fprintf(stderr, "flameprof: no command '%s' (flameprof --help lists them)\n",
                      argv[1]);
        return EXIT_CODE_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}

// SPDX-License-Identifier: Apache-2.0
// What a subcommand is, and how it ends.
#ifndef FLAME_PROF_CLI_COMMAND_H
#define FLAME_PROF_CLI_COMMAND_H

#include "base/error.h"

// Also in man/flameprof.1.
enum exit_code {
    EXIT_CODE_DONE = 0,
    EXIT_CODE_FAILED = 1,        // could not read, write, allocate
    EXIT_CODE_USAGE = 2,         // wrong options or arguments
    EXIT_CODE_NOT_PERMITTED = 3, // rights are missing
    EXIT_CODE_UNSUPPORTED = 4,   // this kernel cannot
    EXIT_CODE_EMPTY = 5,         // there was nothing to record
};

struct command {
    const char *name;
    const char *summary;
    // argv[0] is the name of the command. Returns an exit code.
    int (*run)(int argc, char **argv);
};

int cmd_record(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_heatmap(int argc, char **argv);
int cmd_flamegraph(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_script(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_split(int argc, char **argv);
int cmd_report(int argc, char **argv);

// Prints `flameprof: <detail>` to stderr and returns the exit code that fits.
int command_failed(const struct error *err);

// Also says how to get help; returns EXIT_CODE_USAGE.
int command_misused(const char *command, const struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_output.h"
#include "cli/command.h"
#include "cli/view_run.h"

#include <stdio.h>

static void print_help(void)
{
    (void)puts("usage: flameprof merge [OPTIONS] -o OUTPUT.fpc FILE FILE...\n"
               "\n"
               "Makes one capture of several files, of any kind that can be read, on one axis of\n"
               "time: engines of one host, parts of a series. Each file is a source of its own in\n"
               "the result (--filter source=1 is the second).\n");
    view_options_print_help(VIEW_MERGE);
    (void)puts("\nexample\n"
               "  flameprof merge -o all.fpc flame_prof-*.perf.gz host.fpc");
}

int cmd_merge(int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    struct view_run run;
    uint64_t bytes = 0;
    bool ok = view_options_parse(&options, VIEW_MERGE, argc, argv, &err);
    if (ok && options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    if (ok && options.output == NULL) {
        ok = error_set(&err, ERROR_BAD_ARGUMENT, "-o is missing");
    }
    if (!ok) {
        return command_misused("merge", &err);
    }
    ok = view_run_open(&run, &options, options.files, options.file_cnt, &options.range, &err) &&
         capture_output_write(&run.selection, options.output, &bytes, &err);
    view_run_close(&run);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

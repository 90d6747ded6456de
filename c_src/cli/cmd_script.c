// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "export/export_format.h"

#include <stdio.h>

static void print_help(void)
{
    (void)puts("usage: flameprof script [OPTIONS] FILE...\n"
               "\n"
               "Writes what is in a file as perf-script text, with every metric: for Flamescope,\n"
               "stackcollapse-perf.pl, grep. Read back it is the same profile.\n");
    view_options_print_help(VIEW_SCRIPT);
    (void)puts("\nexamples\n"
               "  flameprof script app.fpc > app.perf\n"
               "  flameprof script --filter status=running app.fpc | stackcollapse-perf.pl\n"
               "  flameprof script --from 10 --to 20 -o part.perf.gz profile.pb.gz");
}

static bool write_script(const struct view_run *run, const struct byte_output *output,
                         struct error *err)
{
    struct export_request request = {.selection = &run->selection, .weight = run->weight};
    return export_perf_script(&request, output, err);
}

int cmd_script(int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    struct view_run run;
    if (!view_options_parse(&options, VIEW_SCRIPT, argc, argv, &err)) {
        return command_misused("script", &err);
    }
    if (options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    bool ok = view_run_open(&run, &options, options.files, options.file_cnt, &options.range, &err);
    int exit_code = ok ? view_run_write(&run, write_script) : command_failed(&err);
    view_run_close(&run);
    return exit_code;
}

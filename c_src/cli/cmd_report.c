// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "export/report.h"

#include <stdio.h>

static void print_help(void)
{
    (void)puts("usage: flameprof report [OPTIONS] FILE...\n"
               "\n"
               "Tells on a page what is in a file: where it comes from, what was lost, and for\n"
               "each event the states, the functions (their own weight, and with what they\n"
               "called) and the processes that weigh most. Processes that mostly wait are\n"
               "weighed by their reductions, everything else by time, or all by --metric.\n");
    view_options_print_help(VIEW_REPORT);
    (void)puts("\nexamples\n"
               "  flameprof report beam.perf\n"
               "  flameprof report -n 30 --filter 'status=running' beam.perf beam_cpu.perf\n"
               "  flameprof report -m erlang_memory_inc --from 10 --to 20 beam.fpc");
}

bool cmd_report_write(const struct view_run *run, const struct byte_output *output,
                      struct error *err)
{
    struct report_options options = {
        .has_weight = run->options->metric != NULL,
        .weight = run->weight,
        .max_rows = run->options->max_rows,
        .width = view_run_terminal(run->options).width,
    };
    return report_write(&run->selection, &options, output, err);
}

int cmd_report(int argc, char **argv)
{
    static const struct view_page PAGE = {"report", VIEW_REPORT, print_help, cmd_report_write,
                                          NULL};
    return view_run_page(&PAGE, argc, argv);
}

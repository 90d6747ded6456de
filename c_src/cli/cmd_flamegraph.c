// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "export/export_format.h"

#include <stdio.h>

static void print_help(void)
{
    (void)puts("usage: flameprof flamegraph [OPTIONS] FILE...\n"
               "\n"
               "Draws a flame graph on the terminal, the root on top, the heaviest to the left.\n"
               "Categories (status, registered name, initial call) are its root frames. A weight\n"
               "that may be negative gives two graphs, positive and negative.\n");
    view_options_print_help(VIEW_FLAMEGRAPH);
    (void)puts("\nexamples\n"
               "  flameprof flamegraph beam.perf.gz\n"
               "  flameprof flamegraph -m erlang_memory_delta --categories registered beam.perf\n"
               "  flameprof flamegraph --categories '' --focus '^ets:' --reversed beam.perf\n"
               "  perf script | flameprof flamegraph -");
}

static bool draw(const struct view_run *run, const struct byte_output *output, struct error *err)
{
    struct terminal terminal = view_run_terminal(run->options);
    struct flame_graph graph;
    bool ok = flame_graph_init(&graph, &run->selection, &run->flame, err) &&
              terminal_flamegraph(&graph, run->weight_name, &terminal, output, err);
    flame_graph_deinit(&graph);
    return ok;
}

static bool write_json(const struct view_run *run, const struct byte_output *output,
                       struct error *err)
{
    struct export_request request = {.selection = &run->selection,
                                     .has_weight = true,
                                     .weight = run->weight,
                                     .flame = run->flame};
    return export_flamegraph_json(&request, output, err);
}

int cmd_flamegraph(int argc, char **argv)
{
    static const struct view_page PAGE = {"flamegraph", VIEW_FLAMEGRAPH, print_help, draw,
                                          write_json};
    return view_run_page(&PAGE, argc, argv);
}

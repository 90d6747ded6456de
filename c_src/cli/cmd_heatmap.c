// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "export/export_format.h"

#include <stdio.h>

static void print_help(void)
{
    (void)puts("usage: flameprof heatmap [OPTIONS] FILE...\n"
               "\n"
               "Draws a metric over time on the terminal: a column is a second (or what fits),\n"
               "a row its 50th part; the later, the higher. Blank is no sample, which is not\n"
               "zero. Weights without a sign go from dark blue to yellow, others from blue\n"
               "(less) over white to orange (more).\n");
    view_options_print_help(VIEW_HEATMAP);
    (void)puts("\nexamples\n"
               "  flameprof heatmap beam.perf.gz\n"
               "  flameprof heatmap -m erlang_memory_delta --filter 'status=running' beam.perf\n"
               "  flameprof heatmap -m mq --from 20 --to 30 --column 200ms --rows 20 beam.perf\n"
               "  perf script | flameprof heatmap -");
}

// The narrowest column, of those that people count in, with which all fit.
static uint64_t column_that_fits(const struct view_run *run, uint32_t room)
{
    static const uint64_t SECONDS[] = {1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600};
    enum { CNT = sizeof SECONDS / sizeof SECONDS[0] };
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    selection_times(&run->selection, &first_ns, &last_ns);
    for (size_t i = 0; i < CNT; i++) {
        uint64_t column_ns = SECONDS[i] * CLOCK_NS_PER_S;
        if (last_ns / column_ns - first_ns / column_ns + 1 <= room) {
            return column_ns;
        }
    }
    return ((last_ns - first_ns) / room / CLOCK_NS_PER_S + 1) * CLOCK_NS_PER_S;
}

bool cmd_heatmap_write(const struct view_run *run, const struct byte_output *output,
                       struct error *err)
{
    struct terminal terminal = view_run_terminal(run->options);
    uint64_t column_ns = run->options->column_ns;
    if (column_ns == 0) {
        column_ns = column_that_fits(run, terminal.width - TERMINAL_LABEL_CELLS);
    }
    struct heatmap_options options = {run->weight, run->options->row_cnt, column_ns};
    struct heatmap heatmap;
    bool ok = heatmap_init(&heatmap, &run->selection, &options, err) &&
              terminal_heatmap(&heatmap, run->weight_name, &terminal, output, err);
    heatmap_deinit(&heatmap);
    return ok;
}

static bool write_json(const struct view_run *run, const struct byte_output *output,
                       struct error *err)
{
    struct export_request request = {
        .selection = &run->selection,
        .has_weight = true,
        .weight = run->weight,
        .heatmap = {run->weight, run->options->row_cnt, run->options->column_ns},
    };
    return export_heatmap_json(&request, output, err);
}

int cmd_heatmap(int argc, char **argv)
{
    static const struct view_page PAGE = {"heatmap", VIEW_HEATMAP, print_help, cmd_heatmap_write,
                                          write_json};
    return view_run_page(&PAGE, argc, argv);
}

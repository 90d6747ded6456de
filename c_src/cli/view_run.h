// SPDX-License-Identifier: Apache-2.0
// What heatmap, flamegraph, diff and export have in common: the profile, the samples
// and the weight that the options mean, and where the answer goes. One owner.
#ifndef FLAME_PROF_CLI_VIEW_RUN_H
#define FLAME_PROF_CLI_VIEW_RUN_H

#include "cli/file_output.h"
#include "cli/view_options.h"
#include "export/terminal.h"
#include "query/flame_graph.h"

enum { VIEW_MAX_CATEGORIES = 16 };

struct view_run {
    const struct view_options *options; // borrowed
    struct profile *profile;
    struct filter *filter;
    struct pattern *focus;
    struct selection selection;
    struct weight weight;
    char weight_name[WEIGHT_NAME_BYTES];
    uint32_t dimensions[VIEW_MAX_CATEGORIES];
    uint32_t dimension_cnt;
    struct flame_options flame;
};

// Opens `paths` and understands the options for them. False, with the reason; _close is
// needed either way.
bool view_run_open(struct view_run *run, const struct view_options *options, char **paths,
                   int path_cnt, const struct selection_range *range, struct error *err);
void view_run_close(struct view_run *run);

// What --color, --width and the environment say of where the answer goes.
struct terminal view_run_terminal(const struct view_options *options);

// Writes by `write` to where the options say, and returns the exit code.
typedef bool (*view_writer)(const struct view_run *run, const struct byte_output *output,
                            struct error *err);
int view_run_write(const struct view_run *run, view_writer write);

// A command that shows what is in files.
struct view_page {
    const char *name;
    enum view_command command;
    void (*print_help)(void);
    view_writer write;
    view_writer write_json; // for --json; NULL where there is none
};

// The command from its arguments to its exit code.
int view_run_page(const struct view_page *page, int argc, char **argv);

// The writers of the commands that Erlang has, too (cli/port_main.c).
bool cmd_export_write(const struct view_run *run, const struct byte_output *output,
                      struct error *err);
bool cmd_heatmap_write(const struct view_run *run, const struct byte_output *output,
                       struct error *err);
bool cmd_report_write(const struct view_run *run, const struct byte_output *output,
                      struct error *err);

#endif

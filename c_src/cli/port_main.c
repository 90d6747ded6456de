// SPDX-License-Identifier: Apache-2.0
// priv/bin/flame_prof_port: what flame_prof:export/3, heatmap/1 and report/1 have done
// outside of the node (src/flame_prof_port.erl), so that neither a hostile file nor a
// large one can harm it. It answers one request and ends.
#include "cli/command.h"
#include "cli/port_frame.h"
#include "cli/port_guard.h"
#include "cli/view_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct view {
    const char *name;
    enum view_command command;
    view_writer write;
};

static const struct view VIEWS[] = {
    {"export", VIEW_EXPORT, cmd_export_write},
    {"heatmap", VIEW_HEATMAP, cmd_heatmap_write},
    {"report", VIEW_REPORT, cmd_report_write},
};

enum { VIEW_CNT = sizeof VIEWS / sizeof VIEWS[0] };

static const struct view *find_view(const char *name, struct error *err)
{
    for (size_t i = 0; i < VIEW_CNT; i++) {
        if (strcmp(VIEWS[i].name, name) == 0) {
            return &VIEWS[i];
        }
    }
    (void)error_set(err, ERROR_UNSUPPORTED,
                    "%s: this priv/bin/flame_prof_port is of another version; build it anew", name);
    return NULL;
}

// --- the answer -----------------------------------------------------------------

static bool write_file(const struct view *view, const struct view_run *run, struct error *err)
{
    static struct file_output file; // outlives the thread that watches
    struct error why = {0};
    if (!file_output_open(&file, run->options->output, err)) {
        return false;
    }
    port_guard_unfinished(file.part);
    bool ok = view->write(run, &file.output, err);
    bool is_whole = ok && !port_guard_ran_out();
    bool is_closed = file_output_close(&file, is_whole, &why);
    port_guard_unfinished(NULL);
    if (ok && !is_closed && err != NULL) {
        *err = why;
    }
    return ok && is_closed;
}

static bool write_answer(const struct view *view, const struct view_run *run,
                         const struct port_request *request, struct error *err)
{
    struct port_output port;
    if (run->options->output != NULL) {
        return write_file(view, run, err);
    }
    port_output_init(&port, STDOUT_FILENO, request->max_result_bytes);
    return view->write(run, &port.output, err);
}

static bool answer(const struct port_request *request, bool *is_empty, struct error *err)
{
    struct view_options options;
    struct view_run run = {.profile = NULL};
    const struct view *view = find_view(request->argv[0], err);
    if (view == NULL ||
        !view_options_parse(&options, view->command, request->argc, request->argv, err)) {
        return false;
    }
    bool ok = view_run_open(&run, &options, options.files, options.file_cnt, &options.range, err);
    *is_empty = ok && run.selection.row_cnt == 0;
    ok = ok && !*is_empty && write_answer(view, &run, request, err);
    view_run_close(&run);
    return ok;
}

static int tell(const struct port_request *request, bool ok, bool is_empty, struct error *err)
{
    if (port_guard_ran_out() || err->code == ERROR_NO_MEMORY) {
        (void)error_set(err, ERROR_LIMIT,
                        "max_memory (%llu MiB) does not do for that: give more, or fewer files",
                        (unsigned long long)(request->max_memory_bytes >> 20));
        ok = is_empty = false;
    }
    if (is_empty) {
        port_send_error(STDOUT_FILENO, "empty", "no sample in there that fits");
        return EXIT_CODE_EMPTY;
    }
    if (!ok) {
        port_send_error(STDOUT_FILENO, error_code_name(err->code), err->detail);
        return EXIT_CODE_FAILED;
    }
    return port_send_done(STDOUT_FILENO, err) ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

int main(void)
{
    struct error err = {0};
    struct port_request request;
    bool is_empty = false;
    (void)signal(SIGPIPE, SIG_IGN);
    port_guard_step_back();
    bool ok =
        port_request_read(&request, STDIN_FILENO, &err) && port_guard_watch(STDIN_FILENO, &err);
    if (ok) {
        port_guard_limit_memory(request.max_memory_bytes);
        ok = answer(&request, &is_empty, &err);
    }
    int exit_code = tell(&request, ok, is_empty, &err);
    port_request_deinit(&request);
    return exit_code;
}

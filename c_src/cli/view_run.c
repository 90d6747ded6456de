// SPDX-License-Identifier: Apache-2.0
#include "cli/view_run.h"

#include "cli/command.h"
#include "cli/profile_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_WIDTH = 100 };

// --- what the options mean for this profile -------------------------------------

static bool find_categories(struct view_run *run, const char *list, struct error *err)
{
    while (*list != '\0') {
        uint32_t len = (uint32_t)strcspn(list, ",");
        int dimension = profile_find_dimension(run->profile, (struct text){list, len});
        if (dimension == PROFILE_NONE) {
            return error_set(err, ERROR_BAD_ARGUMENT,
                             "--categories %.*s: not in this file (flameprof info shows those of "
                             "a file)",
                             (int)len, list);
        }
        if (run->dimension_cnt == VIEW_MAX_CATEGORIES) {
            return error_set(err, ERROR_BAD_ARGUMENT, "--categories: more than %d",
                             VIEW_MAX_CATEGORIES);
        }
        run->dimensions[run->dimension_cnt++] = (uint32_t)dimension;
        list += len + (list[len] == ',' ? 1 : 0);
    }
    return true;
}

// As the text has them: what the event line begins with, then the outermost frames.
static void default_categories(struct view_run *run)
{
    static const uint32_t FIRST[] = {PROFILE_STATUS, PROFILE_STATE, PROFILE_COMM};
    for (size_t i = 0; i < sizeof FIRST / sizeof FIRST[0]; i++) {
        if (run->profile->dimensions[FIRST[i]].value_cnt > 1) {
            run->dimensions[run->dimension_cnt++] = FIRST[i];
        }
    }
    for (uint32_t i = 0; i < run->profile->dimension_cnt; i++) {
        if (run->profile->dimensions[i].is_root_frame && run->dimension_cnt < VIEW_MAX_CATEGORIES) {
            run->dimensions[run->dimension_cnt++] = i;
        }
    }
}

static bool understand_focus(struct view_run *run, struct error *err)
{
    struct pattern_fault fault;
    if (run->options->focus == NULL) {
        return true;
    }
    run->focus = pattern_create(text_of(run->options->focus), &fault);
    return run->focus != NULL || error_set(err, ERROR_BAD_ARGUMENT, "--focus %s: character %u: %s",
                                           run->options->focus, fault.at + 1, fault.what);
}

static bool understand(struct view_run *run, struct error *err)
{
    const struct view_options *options = run->options;
    run->weight = weight_default(run->profile);
    if (options->metric != NULL &&
        !weight_parse(run->profile, text_of(options->metric), &run->weight, err)) {
        return false;
    }
    char name[WEIGHT_NAME_BYTES];
    (void)snprintf(run->weight_name, sizeof run->weight_name, "%s",
                   weight_name(run->profile, run->weight, name));
    if (options->categories == NULL) {
        default_categories(run);
    } else if (!find_categories(run, options->categories, err)) {
        return false;
    }
    if (!understand_focus(run, err)) {
        return false;
    }
    run->flame = (struct flame_options){
        .weight = run->weight,
        .dimensions = run->dimensions,
        .dimension_cnt = run->dimension_cnt,
        .view = {options->splits_lines, options->is_reversed, run->focus},
        .max_nodes = options->max_nodes,
    };
    return true;
}

// On a terminal with a mark under the character.
static bool read_filter(struct view_run *run, struct error *err)
{
    uint32_t at = 0;
    const char *source = run->options->filter;
    if (source == NULL) {
        return true;
    }
    run->filter = filter_create(text_of(source), &at, err);
    if (run->filter == NULL && isatty(STDERR_FILENO) != 0 && strlen(source) < 120) {
        (void)fprintf(stderr, "  %s\n  %*s^\n", source, (int)at, "");
    }
    return run->filter != NULL;
}

bool view_run_open(struct view_run *run, const struct view_options *options, char **paths,
                   int path_cnt, const struct selection_range *range, struct error *err)
{
    *run = (struct view_run){.options = options};
    if (!read_filter(run, err)) {
        return false;
    }
    run->profile = profile_source_open(paths, path_cnt, err);
    return run->profile != NULL && understand(run, err) &&
           selection_init(&run->selection, run->profile, range, run->filter, err);
}

void view_run_close(struct view_run *run)
{
    selection_deinit(&run->selection);
    filter_destroy(run->filter);
    pattern_destroy(run->focus);
    profile_destroy(run->profile);
    *run = (struct view_run){.profile = NULL};
}

// --- the terminal ---------------------------------------------------------------

static bool environment_has(const char *name, const char *part)
{
    const char *value = getenv(name);
    return value != NULL && strstr(value, part) != NULL;
}

static enum terminal_colours colours_of(const struct view_options *options)
{
    if (strcmp(options->colours, "auto") != 0) {
        return strcmp(options->colours, "never") == 0 ? TERMINAL_COLOURS_NONE
               : strcmp(options->colours, "256") == 0 ? TERMINAL_COLOURS_256
                                                      : TERMINAL_COLOURS_TRUE;
    }
    const char *no_color = getenv("NO_COLOR");
    bool is_terminal = options->output == NULL && isatty(STDOUT_FILENO) != 0;
    if (!is_terminal || (no_color != NULL && *no_color != '\0') ||
        environment_has("TERM", "dumb") || getenv("TERM") == NULL) {
        return TERMINAL_COLOURS_NONE;
    }
    bool is_true = environment_has("COLORTERM", "truecolor") ||
                   environment_has("COLORTERM", "24bit") || environment_has("TERM", "direct");
    return is_true ? TERMINAL_COLOURS_TRUE : TERMINAL_COLOURS_256;
}

struct terminal view_run_terminal(const struct view_options *options)
{
    struct winsize size = {0};
    struct terminal terminal = {colours_of(options), options->width, options->depth};
    if (terminal.width == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        terminal.width = size.ws_col;
    }
    if (terminal.width == 0) {
        terminal.width = DEFAULT_WIDTH;
    }
    if (terminal.width < TERMINAL_MIN_WIDTH) {
        terminal.width = TERMINAL_MIN_WIDTH;
    }
    return terminal;
}

// --- the answer -----------------------------------------------------------------

int view_run_write(const struct view_run *run, view_writer write)
{
    struct error err = {0};
    struct file_output file;
    if (run->selection.row_cnt == 0) {
        (void)fputs("flameprof: no sample in there that fits\n", stderr);
        return EXIT_CODE_EMPTY;
    }
    if (!file_output_open(&file, run->options->output, &err)) {
        return command_failed(&err);
    }
    bool ok = write(run, &file.output, &err);
    struct error why = {0};
    if (!file_output_close(&file, ok, &why) && ok) {
        err = why;
        ok = false;
    }
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

int view_run_page(const struct view_page *page, int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    struct view_run run;
    if (!view_options_parse(&options, page->command, argc, argv, &err)) {
        return command_misused(page->name, &err);
    }
    if (options.wants_help) {
        page->print_help();
        return EXIT_CODE_DONE;
    }
    view_writer write =
        options.is_json && page->write_json != NULL ? page->write_json : page->write;
    bool ok = view_run_open(&run, &options, options.files, options.file_cnt, &options.range, &err);
    int exit_code = ok ? view_run_write(&run, write) : command_failed(&err);
    view_run_close(&run);
    return exit_code;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "export/export_format.h"
#include "export/weight_list.h"

#include <stdio.h>
#include <string.h>

static void print_help(void)
{
    (void)puts("usage: flameprof export [OPTIONS] FILE...\n"
               "\n"
               "Writes what is in a file in another format, all of it or what --filter, --from\n"
               "and --to leave of it.\n");
    view_options_print_help(VIEW_EXPORT);
    (void)puts("\nformats");
    for (size_t i = 0; export_format_at(i) != NULL; i++) {
        const struct export_format *format = export_format_at(i);
        (void)printf("  %-12s .%-16s %s\n", format->name, format->suffix, format->summary);
    }
    (void)puts("\nexamples\n"
               "  flameprof export --format heatmap --metric erlang_memory_delta beam.perf.gz\n"
               "  flameprof export --format folded --filter status=running -o beam.folded x.perf\n"
               "  flameprof export -o prof.html prof.fpc\n"
               "  flameprof export --format csv --from 10 --to 20 beam.perf");
}

static bool no_such_format(const char *name, struct error *err)
{
    char known[256] = "";
    for (size_t i = 0; export_format_at(i) != NULL; i++) {
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ",
                       export_format_at(i)->name);
    }
    return error_set(err, ERROR_BAD_ARGUMENT, "--format %s: there is no such format; there are %s",
                     name, known);
}

static const struct export_format *find_format(const struct view_options *options,
                                               struct error *err)
{
    const struct export_format *format = NULL;
    if (options->format != NULL) {
        format = export_format_find(options->format);
        if (format == NULL) {
            (void)no_such_format(options->format, err);
        }
    } else if (options->output != NULL) {
        format = export_format_of_path(options->output);
        if (format == NULL) {
            (void)error_set(err, ERROR_BAD_ARGUMENT,
                            "-o %s: no format has this suffix, add --format", options->output);
        }
    } else {
        (void)error_set(err, ERROR_BAD_ARGUMENT, "which --format?");
    }
    return format;
}

// Never silently.
static bool tell_rounding(const struct export_format *format, const struct export_request *request,
                          struct error *err)
{
    struct weight_list list;
    struct weight weight;
    char name[WEIGHT_NAME_BYTES];
    bool is_rounded = false;
    if (format->numbers == EXPORT_NUMBERS_EXACT) {
        return true;
    }
    if (format->numbers == EXPORT_NUMBERS_ONE) {
        weight_list_one(&list, request);
    } else {
        weight_list_init(&list, request);
    }
    if (!weight_list_is_rounded(&list, request->selection, &weight, &is_rounded, err)) {
        return false;
    }
    if (is_rounded) {
        (void)fprintf(stderr,
                      "flameprof: %s adds up to more than 2^53, which JavaScript programs round; "
                      "the file has it in full\n",
                      weight_list_name(request->selection->profile, weight, name));
    }
    return true;
}

bool cmd_export_write(const struct view_run *run, const struct byte_output *output,
                      struct error *err)
{
    const struct export_format *format = find_format(run->options, err);
    struct export_request request = {
        .selection = &run->selection,
        .has_weight = run->options->metric != NULL,
        .weight = run->weight,
        .heatmap = {run->weight, run->options->row_cnt, run->options->column_ns},
        .flame = run->flame,
        .has_categories = run->options->categories != NULL,
    };
    return format != NULL && format->write(&request, output, err) &&
           tell_rounding(format, &request, err);
}

int cmd_export(int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    struct view_run run;
    if (!view_options_parse(&options, VIEW_EXPORT, argc, argv, &err)) {
        return command_misused("export", &err);
    }
    if (options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    if (find_format(&options, &err) == NULL) {
        return command_misused("export", &err);
    }
    bool ok = view_run_open(&run, &options, options.files, options.file_cnt, &options.range, &err);
    int exit_code = ok ? view_run_write(&run, cmd_export_write) : command_failed(&err);
    view_run_close(&run);
    return exit_code;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_output.h"
#include "cli/command.h"
#include "cli/number_text.h"
#include "cli/profile_source.h"
#include "cli/view_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_help(void)
{
    (void)puts(
        "usage: flameprof convert [OPTIONS] -o OUTPUT.fpc FILE\n"
        "\n"
        "Makes a capture file of perf-script text (plain, gzip, zstd), folded stacks and\n"
        "whatever else can be read, - for standard input: 14 to 45 bytes a sample, opened in\n"
        "an instant. Files of any size, in bounded memory unless --filter, --from or --to\n"
        "choose samples. flameprof export writes the other formats.\n");
    view_options_print_help(VIEW_CONVERT);
    (void)puts("\nexamples\n"
               "  flameprof convert -o beam.fpc beam.perf.gz\n"
               "  perf script | flameprof convert -o host.fpc -\n"
               "  flameprof convert --filter status=running -o running.fpc beam.fpc");
}

static void print_summary(const struct view_options *options, uint64_t row_cnt, uint64_t bytes)
{
    char rows[NUMBER_TEXT_BYTES];
    char size[NUMBER_TEXT_BYTES];
    if (isatty(STDERR_FILENO) != 0) {
        (void)fprintf(stderr, "%s: %s samples, %s, %.1f bytes each\n", options->output,
                      number_text_grouped((int64_t)row_cnt, rows), number_text_bytes(bytes, size),
                      row_cnt == 0 ? 0 : (double)bytes / (double)row_cnt);
    }
}

static bool chooses_samples(const struct view_options *options)
{
    return options->filter != NULL || options->range.from_ns > 0 ||
           options->range.to_ns != UINT64_MAX;
}

static int convert_part(const struct view_options *options)
{
    struct error err = {0};
    struct view_run run;
    uint64_t bytes = 0;
    bool ok =
        view_run_open(&run, options, options->files, options->file_cnt, &options->range, &err) &&
        capture_output_write(&run.selection, options->output, &bytes, &err);
    if (ok) {
        print_summary(options, run.selection.row_cnt, bytes);
    }
    view_run_close(&run);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

static int convert_all(const struct view_options *options)
{
    struct error err = {0};
    uint64_t row_cnt = 0;
    uint64_t bytes = 0;
    if (!capture_output_stream(options->files[0], options->output, &row_cnt, &bytes, &err)) {
        return command_failed(&err);
    }
    print_summary(options, row_cnt, bytes);
    return EXIT_CODE_DONE;
}

int cmd_convert(int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    bool ok = view_options_parse(&options, VIEW_CONVERT, argc, argv, &err);
    if (ok && options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    if (ok && options.file_cnt > 1) {
        ok = error_set(&err, ERROR_BAD_ARGUMENT, "one file; flameprof merge takes several");
    } else if (ok && options.output == NULL) {
        ok = error_set(&err, ERROR_BAD_ARGUMENT, "-o is missing");
    }
    if (!ok) {
        return command_misused("convert", &err);
    }
    bool is_stream = !chooses_samples(&options) && !profile_source_is_capture(options.files[0]);
    return is_stream ? convert_all(&options) : convert_part(&options);
}

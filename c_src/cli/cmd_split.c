// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_output.h"
#include "cli/command.h"
#include "cli/view_run.h"

#include <limits.h>
#include <stdio.h>

enum { MAX_PARTS = 10000 };

static void print_help(void)
{
    (void)puts("usage: flameprof split --every TIME -o STEM FILE\n"
               "\n"
               "Makes captures STEM-0001.fpc, STEM-0002.fpc, ... of a file, each TIME long. Parts\n"
               "without a sample are left out, their number is not used again.\n");
    view_options_print_help(VIEW_SPLIT);
    (void)puts("\nexample\n"
               "  flameprof split --every 10min -o part day.fpc");
}

static bool write_part(const struct view_run *run, uint32_t part, uint64_t from_ns,
                       struct error *err)
{
    char path[PATH_MAX];
    struct selection selection;
    struct selection_range range = {from_ns, from_ns + run->options->every_ns};
    uint64_t bytes = 0;
    int len = snprintf(path, sizeof path, "%s-%04u.fpc", run->options->output, part);
    if (len >= (int)sizeof path) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-o: the name is too long");
    }
    bool ok = selection_init(&selection, run->profile, &range, run->filter, err) &&
              (selection.row_cnt == 0 || capture_output_write(&selection, path, &bytes, err));
    selection_deinit(&selection);
    return ok;
}

static bool write_parts(const struct view_run *run, struct error *err)
{
    const struct profile *profile = run->profile;
    uint64_t every_ns = run->options->every_ns;
    if (profile->row_cnt == 0) {
        return error_set(err, ERROR_BAD_INPUT, "%s: no sample in there", run->options->files[0]);
    }
    uint64_t length_ns = profile->time_ns[profile->row_cnt - 1] - profile->time_ns[0];
    if (length_ns / every_ns >= MAX_PARTS) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--every: more than %d parts", MAX_PARTS);
    }
    for (uint32_t part = 0; part <= length_ns / every_ns; part++) {
        if (!write_part(run, part + 1, part * every_ns, err)) {
            return false;
        }
    }
    return true;
}

int cmd_split(int argc, char **argv)
{
    struct error err = {0};
    struct view_options options;
    struct view_run run;
    bool ok = view_options_parse(&options, VIEW_SPLIT, argc, argv, &err);
    if (ok && options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    if (ok && (options.every_ns == 0 || options.output == NULL)) {
        ok = error_set(&err, ERROR_BAD_ARGUMENT, "--every and -o are needed");
    }
    if (!ok) {
        return command_misused("split", &err);
    }
    ok = view_run_open(&run, &options, options.files, options.file_cnt, NULL, &err) &&
         write_parts(&run, &err);
    view_run_close(&run);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

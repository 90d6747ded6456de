// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
#include "cli/view_run.h"
#include "query/flame_diff.h"

#include <stdio.h>
#include <string.h>

static void print_help(void)
{
    (void)puts("usage: flameprof diff [OPTIONS] BEFORE AFTER\n"
               "       flameprof diff [OPTIONS] --before FROM..TO --after FROM..TO FILE\n"
               "\n"
               "Shows which functions' own weight changed most between two files, or two ranges\n"
               "of one. Weights are compared per second (--norm time), as shares of each side\n"
               "(--norm total), or as they are (--norm none).\n");
    view_options_print_help(VIEW_DIFF);
    (void)puts(
        "\nexamples\n"
        "  flameprof diff before.perf.gz after.perf.gz\n"
        "  flameprof diff --before 0..10 --after 20..25 -m erlang_reductions_delta beam.perf");
}

struct side {
    struct view_run run;
    struct flame_graph graph;
    bool is_open;
};

static bool open_side(struct side *side, const struct view_options *options, char **path,
                      const struct selection_range *range, struct error *err)
{
    side->is_open = true;
    if (!view_run_open(&side->run, options, path, 1, range, err)) {
        return false;
    }
    if (side->run.selection.row_cnt == 0) {
        return error_set(err, ERROR_BAD_INPUT, "%s: no sample in there that fits", *path);
    }
    return flame_graph_init(&side->graph, &side->run.selection, &side->run.flame, err);
}

static void close_side(struct side *side)
{
    if (side->is_open) {
        flame_graph_deinit(&side->graph);
        view_run_close(&side->run);
    }
}

static uint64_t duration_of(const struct side *side)
{
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    selection_times(&side->run.selection, &first_ns, &last_ns);
    return last_ns - first_ns;
}

static enum flame_diff_norm norm_of(const struct view_options *options)
{
    return strcmp(options->norm, "time") == 0    ? FLAME_DIFF_TIME
           : strcmp(options->norm, "total") == 0 ? FLAME_DIFF_TOTAL
                                                 : FLAME_DIFF_RAW;
}

static bool write_json(const struct flame_diff *diff, const char *name,
                       const struct byte_output *output, struct error *err)
{
    static const char *const KINDS[] = {"root", "sign", "category", "frame"};
    static struct text_output text;
    text_output_init(&text, output, err);
    text_output_string(&text, "{\"metric\":");
    text_output_json(&text, text_of(name));
    text_output_format(&text, ",\"scale\":[%.17g,%.17g],\"nodes\":[", diff->scale[FLAME_BEFORE],
                       diff->scale[FLAME_AFTER]);
    for (uint32_t i = 0; i < diff->node_cnt; i++) {
        const struct flame_diff_node *node = &diff->nodes[i];
        text_output_format(&text,
                           "%s{\"parent\":%u,\"kind\":\"%s\",\"name\":", i == 0 ? "\n" : ",\n",
                           node->parent, KINDS[node->kind]);
        text_output_json(&text, string_table_text(diff->strings, node->text));
        text_output_format(&text, ",\"self\":[%lld,%lld],\"total\":[%lld,%lld]}",
                           (long long)node->self[FLAME_BEFORE], (long long)node->self[FLAME_AFTER],
                           (long long)node->total[FLAME_BEFORE],
                           (long long)node->total[FLAME_AFTER]);
    }
    text_output_string(&text, "\n]}\n");
    return text_output_finish(&text);
}

static bool write_diff(const struct flame_diff *diff, const struct view_run *run, struct error *err)
{
    struct file_output file;
    struct terminal terminal = view_run_terminal(run->options);
    if (!file_output_open(&file, run->options->output, err)) {
        return false;
    }
    bool ok = run->options->is_json ? write_json(diff, run->weight_name, &file.output, err)
                                    : terminal_diff(diff, run->weight_name, run->options->max_rows,
                                                    &terminal, &file.output, err);
    return file_output_close(&file, ok, ok ? err : NULL) && ok;
}

static bool compare(const struct view_options *options, struct side *before, struct side *after,
                    struct error *err)
{
    struct flame_diff diff = {.nodes = NULL};
    const struct selection_range *first = options->has_before ? &options->before : &options->range;
    const struct selection_range *second = options->has_after ? &options->after : &options->range;
    bool ok = open_side(before, options, &options->files[0], first, err) &&
              open_side(after, options, &options->files[options->file_cnt - 1], second, err);
    if (ok) {
        struct flame_diff_side sides[FLAME_SIDE_CNT] = {
            {&before->graph, duration_of(before)},
            {&after->graph, duration_of(after)},
        };
        ok = flame_diff_init(&diff, sides, norm_of(options), err) &&
             write_diff(&diff, &after->run, err);
    }
    flame_diff_deinit(&diff);
    return ok;
}

static bool check(const struct view_options *options, struct error *err)
{
    bool has_ranges = options->has_before && options->has_after;
    if (options->wants_help) {
        return true;
    }
    if (options->file_cnt > 2 || (options->file_cnt == 1 && !has_ranges)) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "give two files, or one with --before and --after");
    }
    return true;
}

int cmd_diff(int argc, char **argv)
{
    static struct side before;
    static struct side after;
    struct error err = {0};
    struct view_options options;
    if (!view_options_parse(&options, VIEW_DIFF, argc, argv, &err) || !check(&options, &err)) {
        return command_misused("diff", &err);
    }
    if (options.wants_help) {
        print_help();
        return EXIT_CODE_DONE;
    }
    bool ok = compare(&options, &before, &after, &err);
    close_side(&before);
    close_side(&after);
    return ok ? EXIT_CODE_DONE : command_failed(&err);
}

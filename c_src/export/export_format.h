// SPDX-License-Identifier: Apache-2.0
// Formats that a profile is exported to: one file each in export/, one row each in
// export_format.c, one signature. What is written is decided by the request alone; a
// format takes of it what it has room for.
#ifndef FLAME_PROF_EXPORT_EXPORT_FORMAT_H
#define FLAME_PROF_EXPORT_EXPORT_FORMAT_H

#include "base/byte_output.h"
#include "query/flame_graph.h"
#include "query/heatmap.h"
#include "query/selection.h"

struct export_request {
    const struct selection *selection; // with its profile
    bool has_weight;                   // a metric was asked for; else all there are
    struct weight weight;              // that, or weight_default()
    struct heatmap_options heatmap;    // its weight is `weight`
    struct flame_options flame;        // its weight is `weight`
    bool has_categories;               // its dimensions were asked for; else the default
};

// What readers of a format that are JavaScript add up, which rounds beyond 2^53.
enum export_numbers {
    EXPORT_NUMBERS_EXACT, // nothing, or nothing of that size
    EXPORT_NUMBERS_ONE,   // the weight, or its two signs
    EXPORT_NUMBERS_ALL,   // every weight
};

struct export_format {
    const char *name;    // of --format
    const char *suffix;  // of files, without a dot in front
    const char *summary; // for --help
    // All of it, or false with the reason. May be called from any thread.
    bool (*write)(const struct export_request *request, const struct byte_output *output,
                  struct error *err);
    enum export_numbers numbers;
};

// By name; NULL when there is none.
const struct export_format *export_format_find(const char *name);

// By the suffix of a path ("x.svg", "x.pb.gz"); NULL when none has it.
const struct export_format *export_format_of_path(const char *path);

// The `idx`-th, NULL behind the last.
const struct export_format *export_format_at(size_t idx);

// --- the formats --------------------------------------------------------------

bool export_heatmap_json(const struct export_request *request, const struct byte_output *output,
                         struct error *err);
bool export_flamegraph_json(const struct export_request *request, const struct byte_output *output,
                            struct error *err);
bool export_folded(const struct export_request *request, const struct byte_output *output,
                   struct error *err);
bool export_csv(const struct export_request *request, const struct byte_output *output,
                struct error *err);
bool export_pprof(const struct export_request *request, const struct byte_output *output,
                  struct error *err);
bool export_otlp(const struct export_request *request, const struct byte_output *output,
                 struct error *err);
bool export_speedscope(const struct export_request *request, const struct byte_output *output,
                       struct error *err);
bool export_firefox(const struct export_request *request, const struct byte_output *output,
                    struct error *err);
bool export_chrome_trace(const struct export_request *request, const struct byte_output *output,
                         struct error *err);
bool export_gprofiler_col(const struct export_request *request, const struct byte_output *output,
                          struct error *err);
bool export_perf_script(const struct export_request *request, const struct byte_output *output,
                        struct error *err);
bool export_html(const struct export_request *request, const struct byte_output *output,
                 struct error *err);
bool export_svg(const struct export_request *request, const struct byte_output *output,
                struct error *err);

#endif

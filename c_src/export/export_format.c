// SPDX-License-Identifier: Apache-2.0
#include "export/export_format.h"

#include <string.h>

static const struct export_format FORMATS[] = {
    {"heatmap", "heatmap.json", "heatmaps as Flamescope's /heatmap/ answers", export_heatmap_json,
     EXPORT_NUMBERS_ALL},
    {"flamegraph", "flamegraph.json", "a flame graph as Flamescope's /flamegraph/ answers",
     export_flamegraph_json, EXPORT_NUMBERS_ONE},
    {"folded", "folded", "root;...;leaf WEIGHT, for flamegraph.pl, inferno, speedscope",
     export_folded, EXPORT_NUMBERS_EXACT},
    {"pprof", "pb", "pprof: every metric a value, categories as labels (also x.pb.gz)",
     export_pprof, EXPORT_NUMBERS_EXACT},
    {"otlp", "otlp", "OpenTelemetry profiles (protocol 1.10): every metric, attributes, times",
     export_otlp, EXPORT_NUMBERS_EXACT},
    {"speedscope", "speedscope.json", "speedscope: a profile for each metric", export_speedscope,
     EXPORT_NUMBERS_ALL},
    {"firefox", "firefox.json", "Firefox Profiler: threads, times, one metric", export_firefox,
     EXPORT_NUMBERS_ONE},
    {"chrome-trace", "trace.json", "trace events, for Perfetto, chrome://tracing: one metric",
     export_chrome_trace, EXPORT_NUMBERS_ONE},
    {"gprofiler", "col", "gProfiler's collapsed file, Erlang frames marked _[beam]",
     export_gprofiler_col, EXPORT_NUMBERS_EXACT},
    {"svg", "svg", "a picture of a flame graph", export_svg, EXPORT_NUMBERS_EXACT},
    {"perf-script", "perf", "the text that recordings are written as, with every metric",
     export_perf_script, EXPORT_NUMBERS_EXACT},
    {"html", "html", "a page of its own: heatmap, flame graph of any range, no network",
     export_html, EXPORT_NUMBERS_EXACT},
    {"csv", "csv", "one line per sample, every category and metric a column", export_csv,
     EXPORT_NUMBERS_EXACT},
};

enum { FORMAT_CNT = sizeof FORMATS / sizeof FORMATS[0] };

const struct export_format *export_format_find(const char *name)
{
    for (size_t i = 0; i < FORMAT_CNT; i++) {
        if (strcmp(FORMATS[i].name, name) == 0) {
            return &FORMATS[i];
        }
    }
    return NULL;
}

const struct export_format *export_format_of_path(const char *path)
{
    size_t path_len = strlen(path);
    if (path_len > 3 && strcmp(path + path_len - 3, ".gz") == 0) {
        path_len -= 3;
    }
    for (size_t i = 0; i < FORMAT_CNT; i++) {
        size_t len = strlen(FORMATS[i].suffix);
        if (path_len > len + 1 && path[path_len - len - 1] == '.' &&
            strncmp(path + path_len - len, FORMATS[i].suffix, len) == 0) {
            return &FORMATS[i];
        }
    }
    return NULL;
}

const struct export_format *export_format_at(size_t idx)
{
    return idx < FORMAT_CNT ? &FORMATS[idx] : NULL;
}

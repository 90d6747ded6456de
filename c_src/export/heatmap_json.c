// SPDX-License-Identifier: Apache-2.0
// Flamescope's heatmaps: {"NAME": {"rows", "columns", "values", "minvalue", "maxvalue"}},
// null where there is no sample. The row with the largest offset comes first.
#include "export/export_format.h"
#include "export/text_output.h"

#include <stdlib.h>

static void write_axes(struct text_output *text, const struct heatmap *heatmap)
{
    text_output_string(text, "{\"rows\":[");
    for (uint32_t row = heatmap->row_cnt; row > 0; row--) {
        double offset_ms = (double)heatmap->column_ns / 1e6 * (row - 1) / heatmap->row_cnt;
        text_output_format(text, row == heatmap->row_cnt ? "%.6g" : ",%.6g", offset_ms);
    }
    text_output_string(text, "],\"columns\":[");
    for (uint32_t column = 0; column < heatmap->column_cnt; column++) {
        double offset_s = (double)heatmap->column_ns / 1e9 * column;
        text_output_format(text, column == 0 ? "%.9g" : ",%.9g", offset_s);
    }
    text_output_char(text, ']');
}

static void write_heatmap(struct text_output *text, const struct heatmap *heatmap)
{
    write_axes(text, heatmap);
    text_output_string(text, ",\"values\":[");
    for (uint32_t column = 0; column < heatmap->column_cnt; column++) {
        text_output_string(text, column == 0 ? "[" : ",[");
        for (uint32_t row = heatmap->row_cnt; row > 0; row--) {
            size_t cell = (size_t)column * heatmap->row_cnt + row - 1;
            if (row < heatmap->row_cnt) {
                text_output_char(text, ',');
            }
            if (heatmap->counts[cell] == 0) {
                text_output_string(text, "null");
            } else {
                text_output_i64(text, heatmap->sums[cell]);
            }
        }
        text_output_char(text, ']');
    }
    // The colours of the viewer begin and end at 0.
    text_output_string(text, "],\"minvalue\":");
    text_output_i64(text, heatmap->min < 0 ? heatmap->min : 0);
    text_output_string(text, ",\"maxvalue\":");
    text_output_i64(text, heatmap->max > 0 ? heatmap->max : 0);
    text_output_char(text, '}');
}

static bool add_heatmap(struct text_output *text, const struct export_request *request,
                        struct weight weight, bool is_first)
{
    char name[WEIGHT_NAME_BYTES];
    struct heatmap heatmap;
    struct heatmap_options options = request->heatmap;
    options.weight = weight;
    bool ok = heatmap_init(&heatmap, request->selection, &options, text->err);
    if (ok) {
        text_output_char(text, is_first ? '{' : ',');
        text_output_json(text, text_of(weight_name(request->selection->profile, weight, name)));
        text_output_char(text, ':');
        write_heatmap(text, &heatmap);
    }
    heatmap_deinit(&heatmap);
    return ok;
}

static bool add_all(struct text_output *text, const struct export_request *request)
{
    const struct profile *profile = request->selection->profile;
    struct weight weight = {.form = WEIGHT_SAMPLES};
    bool ok = add_heatmap(text, request, weight, true);
    for (uint32_t i = 0; i < profile->metric_cnt && ok; i++) {
        ok = add_heatmap(text, request, (struct weight){WEIGHT_VALUE, i}, false);
        if (ok && profile->metrics[i].has_delta) {
            ok = add_heatmap(text, request, (struct weight){WEIGHT_DELTA, i}, false);
        }
    }
    return ok;
}

bool export_heatmap_json(const struct export_request *request, const struct byte_output *output,
                         struct error *err)
{
    struct text_output *text = malloc(sizeof *text);
    if (text == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    text_output_init(text, output, err);
    bool ok = request->has_weight ? add_heatmap(text, request, request->weight, true)
                                  : add_all(text, request);
    text_output_string(text, "}\n");
    ok = ok && text_output_finish(text);
    free(text);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
// `root;...;leaf WEIGHT`, one line per place with a weight of its own. There is no
// sign in this format: of a signed weight the lines begin with "positive;" and
// "negative;".
#include "export/export_format.h"
#include "export/text_output.h"

#include <stdlib.h>

// A semicolon would end the frame, a newline the line.
static void write_frame(struct text_output *text, struct text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char byte = name.bytes[i];
        text_output_char(text, byte == ';' ? ':' : (unsigned char)byte < 0x20 ? '?' : byte);
    }
}

static void write_line(struct text_output *text, const struct flame_graph *graph, uint32_t idx,
                       uint32_t *path)
{
    char digits[PROFILE_DIGITS_BYTES];
    uint32_t depth = 0;
    for (uint32_t at = idx; at != 0; at = graph->nodes[at].parent) {
        path[depth++] = at;
    }
    if (depth == 0) {
        text_output_string(text, "[no stack]");
    }
    while (depth > 0) {
        const struct flame_node *node = &graph->nodes[path[--depth]];
        write_frame(text, flame_node_text(graph, node, digits));
        if (depth > 0) {
            text_output_char(text, ';');
        }
    }
    text_output_char(text, ' ');
    text_output_i64(text, graph->nodes[idx].self);
    text_output_char(text, '\n');
}

static bool write_graph(struct text_output *text, const struct flame_graph *graph)
{
    uint32_t *path = malloc(((size_t)graph->node_cnt + 1) * sizeof *path);
    if (path == NULL) {
        return error_set(text->err, ERROR_NO_MEMORY, "export: out of memory");
    }
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        if (graph->nodes[i].self != 0) {
            write_line(text, graph, i, path);
        }
    }
    free(path);
    return text_output_finish(text);
}

bool export_folded(const struct export_request *request, const struct byte_output *output,
                   struct error *err)
{
    struct flame_graph graph;
    struct text_output *text = malloc(sizeof *text);
    if (text == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    text_output_init(text, output, err);
    bool ok = flame_graph_init(&graph, request->selection, &request->flame, err) &&
              write_graph(text, &graph);
    flame_graph_deinit(&graph);
    free(text);
    return ok;
}

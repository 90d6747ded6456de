// SPDX-License-Identifier: Apache-2.0
// Flamescope's flame graph: {"n": name, "l": kind of file, "v": self, "c": [children]},
// with the roots positive and negative always there.
#include "export/export_format.h"
#include "export/text_output.h"

#include <stdio.h>
#include <stdlib.h>

static const char *kind_of(const struct flame_graph *graph, const struct flame_node *node)
{
    if (node->kind != FLAME_NODE_FRAME) {
        return "";
    }
    switch (graph->profile->dictionary.frames[node->id].kind) {
    case PROFILE_FRAME_KERNEL:
        return "kernel";
    case PROFILE_FRAME_JIT:
        return "jit";
    case PROFILE_FRAME_INLINED:
        return "inlined";
    case PROFILE_FRAME_UNKNOWN:
        return "";
    default:
        return "user";
    }
}

static void write_name(struct text_output *text, const struct flame_graph *graph,
                       const struct flame_node *node)
{
    char digits[PROFILE_DIGITS_BYTES];
    char name[512];
    struct text bytes =
        node->kind == FLAME_NODE_ROOT ? TEXT("root") : flame_node_text(graph, node, digits);
    if (node->kind == FLAME_NODE_FRAME && graph->has_lines) {
        uint32_t line = graph->profile->dictionary.frames[node->id].line;
        bool is_beam =
            graph->profile->dictionary.frames[node->id].kind == PROFILE_FRAME_BEAM && line > 0;
        if (is_beam && bytes.len < sizeof name - 16) {
            int len = snprintf(name, sizeof name, "%.*s;%u", (int)bytes.len, bytes.bytes, line);
            bytes = (struct text){name, (uint32_t)len};
        }
    }
    text_output_json(text, bytes);
}

static void open_node(struct text_output *text, const struct flame_graph *graph, uint32_t idx)
{
    const struct flame_node *node = &graph->nodes[idx];
    text_output_string(text, "{\"n\":");
    write_name(text, graph, node);
    text_output_string(text, ",\"l\":\"");
    text_output_string(text, kind_of(graph, node));
    text_output_string(text, "\",\"v\":");
    text_output_i64(text, node->self);
    text_output_string(text, ",\"c\":[");
}

static bool has_sign(const struct flame_graph *graph, const struct flame_children *children,
                     uint32_t sign)
{
    for (uint32_t i = children->begin[0]; i < children->begin[1]; i++) {
        if (graph->nodes[children->children[i]].id == sign) {
            return true;
        }
    }
    return false;
}

// Without recursion: stacks may be deep. `at` is the next child of each open node.
static bool write_nodes(struct text_output *text, const struct flame_graph *graph,
                        const struct flame_children *children)
{
    uint32_t *at = malloc(((size_t)graph->node_cnt + 1) * sizeof *at);
    uint32_t node = 0;
    if (at == NULL) {
        return error_set(text->err, ERROR_NO_MEMORY, "export: out of memory");
    }
    memcpy(at, children->begin, graph->node_cnt * sizeof *at);
    open_node(text, graph, 0);
    for (;;) {
        if (at[node] < children->begin[node + 1]) {
            if (at[node] > children->begin[node]) {
                text_output_char(text, ',');
            }
            node = children->children[at[node]++];
            open_node(text, graph, node);
        } else if (node != 0) {
            text_output_string(text, "]}");
            node = graph->nodes[node].parent;
        } else {
            break;
        }
    }
    static const char *const SIGNS[] = {"positive", "negative"};
    for (uint32_t sign = 0; sign < 2; sign++) {
        if (!has_sign(graph, children, sign)) {
            bool is_first = graph->node_cnt == 1 && sign == 0;
            text_output_format(text, "%s{\"n\":\"%s\",\"l\":\"\",\"v\":0,\"c\":[]}",
                               is_first ? "" : ",", SIGNS[sign]);
        }
    }
    text_output_string(text, "]}\n");
    free(at);
    return true;
}

static bool write_graph(struct text_output *text, const struct flame_graph *graph)
{
    struct flame_children children;
    bool ok = flame_children_init(&children, graph)
                  ? write_nodes(text, graph, &children)
                  : error_set(text->err, ERROR_NO_MEMORY, "export: out of memory");
    flame_children_deinit(&children);
    return ok;
}

bool export_flamegraph_json(const struct export_request *request, const struct byte_output *output,
                            struct error *err)
{
    struct flame_options options = request->flame;
    struct flame_graph graph;
    struct text_output *text = malloc(sizeof *text);
    if (text == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    text_output_init(text, output, err);
    options.always_signs = true;
    bool ok = flame_graph_init(&graph, request->selection, &options, err) &&
              write_graph(text, &graph) && text_output_finish(text);
    flame_graph_deinit(&graph);
    free(text);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
// A flame graph as one SVG picture: root below, a rectangle per place, its name where
// it has room, all about it in its title, which browsers show on hovering. Colours tell
// what runs (safe for colour-blind people), brightness tells neighbours apart.
#include "base/utf8.h"
#include "export/export_format.h"
#include "export/text_output.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    WIDTH_PX = 1200,
    ROW_PX = 17,
    MARGIN_PX = 10,
    HEAD_PX = 46,
    TENTH_PX = 10, // coordinates are tenths of a pixel
    CHAR_TENTHS = 70,
};

struct svg {
    const struct flame_graph *graph;
    struct flame_children children;
    int64_t *x;      // by node: weight to the left of it
    uint32_t *depth; // by node
    uint32_t max_depth;
    int64_t whole; // weight of the whole width
    struct text_output *text;
};

struct svg_colour {
    uint8_t red;
    uint8_t green;
    uint8_t blue;
};

// Okabe and Ito's palette, lightened so that black text reads on it.
static struct svg_colour colour_of(const struct flame_graph *graph, const struct flame_node *node)
{
    static const struct svg_colour FRAMES[PROFILE_FRAME_KIND_CNT] = {
        [PROFILE_FRAME_UNKNOWN] = {200, 200, 200}, [PROFILE_FRAME_NATIVE] = {240, 228, 130},
        [PROFILE_FRAME_KERNEL] = {244, 165, 110},  [PROFILE_FRAME_BEAM] = {135, 196, 235},
        [PROFILE_FRAME_JIT] = {120, 205, 175},     [PROFILE_FRAME_INLINED] = {240, 238, 175},
        [PROFILE_FRAME_NOTE] = {225, 225, 225},
    };
    if (node->kind != FLAME_NODE_FRAME) {
        return node->kind == FLAME_NODE_SIGN && node->id == 1 ? (struct svg_colour){222, 160, 200}
                                                              : (struct svg_colour){190, 200, 215};
    }
    return FRAMES[graph->profile->dictionary.frames[node->id].kind];
}

// Up to a tenth darker, by the name.
static uint32_t shade(uint8_t channel, uint32_t id)
{
    return channel - channel * (id * 2654435761U >> 28) / 150;
}

static void write_character(struct text_output *text, struct text character)
{
    switch (*character.bytes) {
    case '&':
        text_output_string(text, "&amp;");
        break;
    case '<':
        text_output_string(text, "&lt;");
        break;
    case '>':
        text_output_string(text, "&gt;");
        break;
    default:
        if ((unsigned char)*character.bytes < 0x20) {
            text_output_char(text, '?');
        } else {
            text_output_text(text, character);
        }
    }
}

static void write_escaped(struct text_output *text, struct text name)
{
    while (name.len > 0) {
        uint32_t len = utf8_len(name);
        write_character(text, len == 0 ? TEXT("?") : (struct text){name.bytes, len});
        len = len == 0 ? 1 : len;
        name = (struct text){name.bytes + len, name.len - len};
    }
}

static int64_t tenths(const struct svg *svg, int64_t weight)
{
    return (int64_t)((double)weight * (WIDTH_PX - 2 * MARGIN_PX) * TENTH_PX / (double)svg->whole);
}

static void write_label(const struct svg *svg, struct text name, int64_t x, uint32_t y,
                        int64_t width)
{
    uint32_t room = (uint32_t)(width / CHAR_TENTHS);
    if (room < 3) {
        return;
    }
    text_output_format(svg->text, "<text x=\"%" PRId64 ".%" PRId64 "\" y=\"%u\">", x / TENTH_PX + 3,
                       x % TENTH_PX, y + ROW_PX - 5);
    if (name.len > room) {
        uint32_t len = room - 2;
        while (len > 0 && ((unsigned char)name.bytes[len] & 0xc0) == 0x80) {
            len--; // not within a character
        }
        write_escaped(svg->text, (struct text){name.bytes, len});
        text_output_string(svg->text, "..");
    } else {
        write_escaped(svg->text, name);
    }
    text_output_string(svg->text, "</text>");
}

static void write_node(const struct svg *svg, uint32_t idx)
{
    const struct flame_node *node = &svg->graph->nodes[idx];
    struct svg_colour colour = colour_of(svg->graph, node);
    char digits[PROFILE_DIGITS_BYTES];
    struct text name = flame_node_text(svg->graph, node, digits);
    int64_t x = tenths(svg, svg->x[idx]) + (int64_t)MARGIN_PX * TENTH_PX;
    int64_t width = tenths(svg, node->total);
    uint32_t y = HEAD_PX + (svg->max_depth - svg->depth[idx]) * ROW_PX;
    if (width < 1) {
        return;
    }
    text_output_string(svg->text, "<g><title>");
    write_escaped(svg->text, name);
    text_output_format(svg->text, " (%lld, %.2f %%)</title>", (long long)node->total,
                       100.0 * (double)node->total / (double)svg->whole);
    text_output_format(svg->text,
                       "<rect x=\"%lld.%lld\" y=\"%u\" width=\"%lld.%lld\" height=\"%d\" "
                       "fill=\"rgb(%u,%u,%u)\"/>",
                       (long long)(x / TENTH_PX), (long long)(x % TENTH_PX), y,
                       (long long)(width / TENTH_PX), (long long)(width % TENTH_PX), ROW_PX - 1,
                       shade(colour.red, node->id), shade(colour.green, node->id),
                       shade(colour.blue, node->id));
    write_label(svg, name, x, y, width);
    text_output_string(svg->text, "</g>\n");
}

// Parents come before their children.
static void lay_out(struct svg *svg)
{
    const struct flame_graph *graph = svg->graph;
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        int64_t x = svg->x[i];
        for (uint32_t c = svg->children.begin[i]; c < svg->children.begin[i + 1]; c++) {
            uint32_t child = svg->children.children[c];
            svg->x[child] = x;
            svg->depth[child] = svg->depth[i] + 1;
            x += graph->nodes[child].total;
            svg->max_depth =
                svg->depth[child] > svg->max_depth ? svg->depth[child] : svg->max_depth;
        }
    }
}

static void write_head(struct svg *svg, const char *weight)
{
    uint32_t height = HEAD_PX + (svg->max_depth + 1) * ROW_PX + MARGIN_PX;
    text_output_format(svg->text,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
                       "viewBox=\"0 0 %d %u\" font-family=\"monospace\" font-size=\"11\">\n",
                       WIDTH_PX, height, WIDTH_PX, height);
    text_output_format(svg->text, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                                  "<text x=\"10\" y=\"18\" font-size=\"14\">");
    write_escaped(svg->text, text_of(weight));
    text_output_format(svg->text, ": %lld in %llu samples</text>\n<text x=\"10\" y=\"36\">",
                       (long long)svg->graph->total, (unsigned long long)svg->graph->row_cnt);
    text_output_string(svg->text, "blue: Erlang, yellow: native, orange: kernel, green: other "
                                  "generated code, grey: categories and the rest</text>\n");
}

static bool write_graph(struct svg *svg, const char *weight, struct error *err)
{
    svg->x = calloc((size_t)svg->graph->node_cnt + 1, sizeof *svg->x);
    svg->depth = calloc((size_t)svg->graph->node_cnt + 1, sizeof *svg->depth);
    svg->whole = svg->graph->nodes[0].total > 0 ? svg->graph->nodes[0].total : 1;
    if (svg->x == NULL || svg->depth == NULL || !flame_children_init(&svg->children, svg->graph)) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    lay_out(svg);
    write_head(svg, weight);
    for (uint32_t i = 0; i < svg->graph->node_cnt; i++) {
        write_node(svg, i);
    }
    text_output_string(svg->text, "</svg>\n");
    return text_output_finish(svg->text);
}

bool export_svg(const struct export_request *request, const struct byte_output *output,
                struct error *err)
{
    char name[WEIGHT_NAME_BYTES];
    struct flame_graph graph;
    struct svg svg = {.graph = &graph, .text = malloc(sizeof *svg.text)};
    if (svg.text == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "export: out of memory");
    }
    text_output_init(svg.text, output, err);
    bool ok =
        flame_graph_init(&graph, request->selection, &request->flame, err) &&
        write_graph(&svg, weight_name(request->selection->profile, request->weight, name), err);
    flame_children_deinit(&svg.children);
    flame_graph_deinit(&graph);
    free(svg.text);
    free(svg.x);
    free(svg.depth);
    return ok;
}

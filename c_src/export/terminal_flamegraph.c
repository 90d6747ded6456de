// SPDX-License-Identifier: Apache-2.0
#include "export/terminal.h"

#include <stdlib.h>

// A node that is wide enough to be seen.
struct bar {
    uint32_t node;
    uint32_t at;  // cell
    uint32_t end; // cell, not included
    double from;  // share of the width where it begins
};

struct picture {
    struct text_output text;
    const struct flame_graph *graph;
    const struct terminal *terminal;
    struct flame_children children;
    struct bar *bars; // of the line that is drawn
    struct bar *next;
};

static double width_of(const struct picture *picture, int64_t weight)
{
    int64_t all = picture->graph->nodes[0].total;
    return all <= 0 ? 0 : (double)weight / (double)all * picture->terminal->width;
}

// --- one line -------------------------------------------------------------------

static void write_blank(struct picture *picture, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        text_output_char(&picture->text, ' ');
    }
}

static struct colour colour_of(const struct flame_node *node, struct text name)
{
    switch ((enum flame_node_kind)node->kind) {
    case FLAME_NODE_ROOT:
        return (struct colour){200, 200, 200};
    case FLAME_NODE_SIGN:
        return palette_signed(node->id == 0 ? 0.8 : -0.8);
    case FLAME_NODE_CATEGORY:
        return palette_category(name);
    default:
        return palette_frame(name);
    }
}

static void write_bar(struct picture *picture, const struct bar *bar)
{
    static const struct colour BLACK = {0, 0, 0};
    static const struct colour WHITE = {255, 255, 255};
    char digits[PROFILE_DIGITS_BYTES];
    const struct flame_node *node = &picture->graph->nodes[bar->node];
    struct text name = flame_node_text(picture->graph, node, digits);
    struct colour colour = colour_of(node, name);
    uint32_t width = bar->end - bar->at;
    bool is_plain = picture->terminal->colours == TERMINAL_COLOURS_NONE;
    terminal_background(&picture->text, picture->terminal, colour);
    terminal_foreground(&picture->text, picture->terminal,
                        palette_is_light(colour) ? BLACK : WHITE);
    // The first cell tells one bar from the next.
    text_output_string(&picture->text, is_plain ? "|" : "▏");
    uint32_t used = 1 + text_output_cells(&picture->text, name, width - 1);
    for (; used < width; used++) {
        text_output_char(&picture->text, is_plain ? '_' : ' ');
    }
    terminal_reset(&picture->text, picture->terminal);
}

static void write_line(struct picture *picture, uint32_t cnt)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        write_blank(picture, picture->bars[i].at - at);
        write_bar(picture, &picture->bars[i]);
        at = picture->bars[i].end;
    }
    text_output_char(&picture->text, '\n');
}

// --- the lines ------------------------------------------------------------------

// The children that get a cell, from left to right within their parent's cells.
static uint32_t descend(const struct picture *picture, uint32_t cnt)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        const struct bar *bar = &picture->bars[i];
        const struct flame_children *children = &picture->children;
        double from = bar->from;
        for (uint32_t c = children->begin[bar->node]; c < children->begin[bar->node + 1]; c++) {
            uint32_t node = children->children[c];
            double to = from + width_of(picture, picture->graph->nodes[node].total);
            uint32_t at = (uint32_t)(from + 0.5);
            uint32_t end = (uint32_t)(to + 0.5);
            end = end > bar->end ? bar->end : end;
            if (end > at) {
                picture->next[found++] = (struct bar){node, at, end, from};
            }
            from = to;
        }
    }
    return found;
}

static void write_lines(struct picture *picture)
{
    uint32_t cnt = 1;
    uint32_t max_depth = picture->terminal->depth;
    picture->bars[0] = (struct bar){0, 0, picture->terminal->width, 0};
    for (uint32_t depth = 0; cnt > 0; depth++) {
        if (max_depth > 0 && depth == max_depth) {
            text_output_string(&picture->text, "... deeper (--depth 0 shows all)\n");
            break;
        }
        write_line(picture, cnt);
        cnt = descend(picture, cnt);
        struct bar *swap = picture->bars;
        picture->bars = picture->next;
        picture->next = swap;
    }
}

static void write_legend(struct picture *picture, const char *name)
{
    const struct flame_graph *graph = picture->graph;
    text_output_cells(&picture->text, text_of(name), 200);
    text_output_format(&picture->text, ": %lld in all, %llu samples, %u places\n",
                       (long long)graph->total, (unsigned long long)graph->row_cnt,
                       graph->node_cnt);
    if (graph->lacking_cnt > 0) {
        text_output_format(&picture->text, "%llu samples do not have this metric\n",
                           (unsigned long long)graph->lacking_cnt);
    }
}

bool terminal_flamegraph(const struct flame_graph *graph, const char *name,
                         const struct terminal *terminal, const struct byte_output *output,
                         struct error *err)
{
    struct picture *picture = calloc(1, sizeof *picture);
    bool ok = picture != NULL;
    if (ok) {
        text_output_init(&picture->text, output, err);
        picture->graph = graph;
        picture->terminal = terminal;
        picture->bars = calloc((size_t)terminal->width + 1, sizeof *picture->bars);
        picture->next = calloc((size_t)terminal->width + 1, sizeof *picture->next);
        ok = picture->bars != NULL && picture->next != NULL &&
             flame_children_init(&picture->children, graph);
    }
    if (!ok) {
        (void)error_set(err, ERROR_NO_MEMORY, "flame graph: out of memory");
    } else {
        write_lines(picture);
        write_legend(picture, name);
        ok = text_output_finish(&picture->text);
    }
    if (picture != NULL) {
        flame_children_deinit(&picture->children);
        free(picture->bars);
        free(picture->next);
    }
    free(picture);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
#include "export/terminal.h"

#include <math.h>
#include <stdlib.h>

// A function's change: that of the weights that are its own, over all places.
struct change {
    double size; // magnitude
    double change;
    double before; // scaled
    double after;
    uint32_t node; // one with its name
};

static int by_size(const void *left, const void *right)
{
    const struct change *a = left;
    const struct change *b = right;
    if (a->size != b->size) {
        return a->size > b->size ? -1 : 1;
    }
    return a->node < b->node ? -1 : a->node > b->node;
}

// One change per function; NULL when out of memory.
static struct change *add_up(const struct flame_diff *diff, uint32_t *cnt)
{
    struct number_map ids = {0};
    struct change *changes = calloc((size_t)diff->node_cnt + 1, sizeof *changes);
    bool ok = changes != NULL;
    *cnt = 0;
    for (uint32_t i = 0; ok && i < diff->node_cnt; i++) {
        const struct flame_diff_node *node = &diff->nodes[i];
        uint64_t key = (uint64_t)node->text << 32 | node->file;
        uint32_t id = number_map_find(&ids, key);
        if (node->self[FLAME_BEFORE] == 0 && node->self[FLAME_AFTER] == 0) {
            continue;
        }
        if (id == 0) {
            id = ++*cnt;
            changes[id - 1].node = i;
            ok = number_map_add(&ids, key, id);
        }
        struct change *change = &changes[id - 1];
        change->before += (double)node->self[FLAME_BEFORE] * diff->scale[FLAME_BEFORE];
        change->after += (double)node->self[FLAME_AFTER] * diff->scale[FLAME_AFTER];
        change->change = change->after - change->before;
        change->size = fabs(change->change);
    }
    number_map_deinit(&ids);
    if (!ok) {
        free(changes);
        return NULL;
    }
    qsort(changes, *cnt, sizeof *changes, by_size);
    return changes;
}

static void write_change(struct text_output *text, const struct flame_diff *diff,
                         const struct change *change, const struct terminal *terminal)
{
    const struct flame_diff_node *node = &diff->nodes[change->node];
    double all = (double)diff->nodes[0].total[FLAME_AFTER];
    double share = all > 0 ? change->change / all : 0;
    text_output_format(text, "%16.0f %16.0f ", change->before, change->after);
    terminal_foreground(text, terminal, palette_signed(share > 0 ? 0.9 : share < 0 ? -0.9 : 0));
    text_output_format(text, "%+16.0f %+7.2f %%", change->change, 100 * share);
    terminal_reset(text, terminal);
    text_output_string(text, "  ");
    uint32_t room = terminal->width > 100 ? terminal->width - 62 : 60;
    text_output_cells(text, string_table_text(diff->strings, node->text), room);
    text_output_char(text, '\n');
}

bool terminal_diff(const struct flame_diff *diff, const char *name, uint32_t max_rows,
                   const struct terminal *terminal, const struct byte_output *output,
                   struct error *err)
{
    uint32_t cnt = 0;
    struct change *changes = add_up(diff, &cnt);
    struct text_output *text = malloc(sizeof *text);
    bool ok =
        (changes != NULL && text != NULL) || error_set(err, ERROR_NO_MEMORY, "diff: out of memory");
    if (ok) {
        text_output_init(text, output, err);
        text_output_cells(text, text_of(name), 200);
        text_output_format(text,
                           ": %lld before, %lld after; before is multiplied with %.4g\n\n"
                           "%16s %16s %16s %9s  %s\n",
                           (long long)diff->nodes[0].total[FLAME_BEFORE],
                           (long long)diff->nodes[0].total[FLAME_AFTER], diff->scale[FLAME_BEFORE],
                           "before", "after", "change", "of after", "self of");
        for (uint32_t i = 0; i < cnt && i < max_rows; i++) {
            write_change(text, diff, &changes[i], terminal);
        }
        if (cnt > max_rows) {
            text_output_format(text, "... %u more (-n shows them)\n", cnt - max_rows);
        }
        ok = text_output_finish(text);
    }
    free(text);
    free(changes);
    return ok;
}

// SPDX-License-Identifier: Apache-2.0
#include "export/terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct picture {
    struct text_output text;
    const struct heatmap *heatmap;
    const struct terminal *terminal;
    uint32_t column_cnt; // shown
    double limit;        // the magnitude with the full colour
    bool is_signed;
};

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

// The 99th percentile of the magnitudes: one outlier must not flatten all others.
static double limit_of(const struct heatmap *heatmap)
{
    size_t cell_cnt = (size_t)heatmap->column_cnt * heatmap->row_cnt;
    size_t cnt = 0;
    double limit = 0;
    double *sizes = malloc((cell_cnt + 1) * sizeof *sizes);
    for (size_t i = 0; i < cell_cnt && sizes != NULL; i++) {
        if (heatmap->counts[i] > 0 && heatmap->sums[i] != 0) {
            sizes[cnt++] = fabs((double)heatmap->sums[i]);
        }
    }
    if (cnt > 0) {
        qsort(sizes, cnt, sizeof *sizes, by_size);
        limit = sizes[(cnt - 1) * 99 / 100];
    }
    free(sizes);
    return limit;
}

// -1 to 1, by the square root, which shows what is small.
static double share_of(const struct picture *picture, size_t cell)
{
    double sum = (double)picture->heatmap->sums[cell];
    double share = picture->limit > 0 ? sqrt(fabs(sum) / picture->limit) : 0;
    share = share > 1 ? 1 : share;
    return sum < 0 ? -share : share;
}

static struct colour colour_of(const struct picture *picture, size_t cell)
{
    double share = share_of(picture, cell);
    return picture->is_signed ? palette_signed(share) : palette_unsigned(share);
}

// Two rows of the heatmap in one cell; `below` may be no row at all.
static void colour_cell(struct picture *picture, size_t above, bool has_below, size_t below)
{
    bool is_above = picture->heatmap->counts[above] > 0;
    bool is_below = has_below && picture->heatmap->counts[below] > 0;
    if (!is_above && !is_below) {
        terminal_reset(&picture->text, picture->terminal);
        text_output_char(&picture->text, ' ');
        return;
    }
    terminal_reset(&picture->text, picture->terminal);
    if (is_above && is_below) {
        terminal_background(&picture->text, picture->terminal, colour_of(picture, below));
    }
    terminal_foreground(&picture->text, picture->terminal,
                        colour_of(picture, is_above ? above : below));
    text_output_string(&picture->text, is_above ? "▀" : "▄");
}

static void plain_cell(struct picture *picture, size_t cell)
{
    static const char *const GAINS[] = {"░", "▒", "▓", "█"};
    static const char *const DROPS[] = {"-", "=", "≡", "#"};
    double share = share_of(picture, cell);
    int step = (int)(fabs(share) * 3.999);
    if (picture->heatmap->counts[cell] == 0) {
        text_output_char(&picture->text, ' ');
    } else if (picture->heatmap->sums[cell] == 0) {
        text_output_string(&picture->text, "·");
    } else {
        text_output_string(&picture->text, share < 0 ? DROPS[step] : GAINS[step]);
    }
}

// The offset of a row, in milliseconds, now and then.
static void write_label(struct picture *picture, uint32_t row, bool is_due)
{
    if (is_due) {
        double offset_ms =
            (double)picture->heatmap->column_ns / 1e6 * row / picture->heatmap->row_cnt;
        text_output_format(&picture->text, "%6.4g ", offset_ms);
    } else {
        text_output_string(&picture->text, "       ");
    }
}

static void write_line(struct picture *picture, uint32_t top, uint32_t rows_per_line)
{
    uint32_t row_cnt = picture->heatmap->row_cnt;
    for (uint32_t column = 0; column < picture->column_cnt; column++) {
        size_t above = (size_t)column * row_cnt + top;
        if (rows_per_line == 2) {
            colour_cell(picture, above, top > 0, top > 0 ? above - 1 : 0);
        } else {
            plain_cell(picture, above);
        }
    }
    terminal_reset(&picture->text, picture->terminal);
    text_output_char(&picture->text, '\n');
}

static void write_picture(struct picture *picture)
{
    uint32_t rows_per_line = picture->terminal->colours == TERMINAL_COLOURS_NONE ? 1 : 2;
    uint32_t line = 0;
    for (uint32_t row = picture->heatmap->row_cnt; row > 0; line++) {
        uint32_t top = row - 1;
        row = row > rows_per_line ? row - rows_per_line : 0;
        write_label(picture, row, line % 5 == 0 || row == 0);
        write_line(picture, top, rows_per_line);
    }
}

// A label at every tenth column, where there is room for all of it.
static void write_axis(struct picture *picture)
{
    enum { TICK_CELLS = 10 };
    uint32_t room = picture->terminal->width - TERMINAL_LABEL_CELLS;
    text_output_string(&picture->text, "     s ");
    for (uint32_t column = 0; column < picture->column_cnt; column += TICK_CELLS) {
        char label[32];
        double offset_s = (double)picture->heatmap->column_ns / 1e9 * column;
        int len = snprintf(label, sizeof label, "%.6g", offset_s);
        bool is_last = column + TICK_CELLS >= picture->column_cnt;
        bool fits = column + (uint32_t)len <= room;
        text_output_format(&picture->text, "%-*s", is_last ? 0 : TICK_CELLS, fits ? label : "");
    }
    text_output_char(&picture->text, '\n');
}

static void write_legend(struct picture *picture, const char *name)
{
    const struct heatmap *heatmap = picture->heatmap;
    double row_ms = (double)heatmap->column_ns / 1e6 / heatmap->row_cnt;
    text_output_cells(&picture->text, text_of(name), 200);
    text_output_format(
        &picture->text, ": %lld in all; a cell is %.4g ms, %lld to %lld; blank: no sample\n",
        (long long)heatmap->total, row_ms, (long long)heatmap->min, (long long)heatmap->max);
    if (picture->column_cnt < heatmap->column_cnt) {
        text_output_format(&picture->text, "%u of %u columns are shown\n", picture->column_cnt,
                           heatmap->column_cnt);
    }
}

bool terminal_heatmap(const struct heatmap *heatmap, const char *name,
                      const struct terminal *terminal, const struct byte_output *output,
                      struct error *err)
{
    uint32_t room = terminal->width - TERMINAL_LABEL_CELLS;
    struct picture *picture = malloc(sizeof *picture);
    if (picture == NULL) {
        return error_set(err, ERROR_NO_MEMORY, "heatmap: out of memory");
    }
    text_output_init(&picture->text, output, err);
    picture->heatmap = heatmap;
    picture->terminal = terminal;
    picture->column_cnt = heatmap->column_cnt < room ? heatmap->column_cnt : room;
    picture->limit = limit_of(heatmap);
    picture->is_signed = heatmap->min < 0;
    write_picture(picture);
    write_axis(picture);
    write_legend(picture, name);
    bool ok = text_output_finish(&picture->text);
    free(picture);
    return ok;
}

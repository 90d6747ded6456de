// SPDX-License-Identifier: Apache-2.0
#include "export/terminal.h"

static void set_colour(struct text_output *text, const struct terminal *terminal,
                       struct colour colour, int layer)
{
    switch (terminal->colours) {
    case TERMINAL_COLOURS_TRUE:
        text_output_format(text, "\033[%d;2;%d;%d;%dm", layer, colour.red, colour.green,
                           colour.blue);
        break;
    case TERMINAL_COLOURS_256:
        text_output_format(text, "\033[%d;5;%dm", layer, palette_256(colour));
        break;
    default:
        break;
    }
}

void terminal_foreground(struct text_output *text, const struct terminal *terminal,
                         struct colour colour)
{
    set_colour(text, terminal, colour, 38);
}

void terminal_background(struct text_output *text, const struct terminal *terminal,
                         struct colour colour)
{
    set_colour(text, terminal, colour, 48);
}

void terminal_reset(struct text_output *text, const struct terminal *terminal)
{
    if (terminal->colours != TERMINAL_COLOURS_NONE) {
        text_output_string(text, "\033[0m");
    }
}

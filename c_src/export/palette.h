// SPDX-License-Identifier: Apache-2.0
// Colours that people with any kind of colour vision tell apart: cividis for what has
// no sign, blue - white - orange for what has. Pure.
#ifndef FLAME_PROF_EXPORT_PALETTE_H
#define FLAME_PROF_EXPORT_PALETTE_H

#include "base/text.h"

#include <stdint.h>

struct colour {
    uint8_t red;
    uint8_t green;
    uint8_t blue;
};

// 0 dark blue .. 1 yellow.
struct colour palette_unsigned(double share);

// -1 blue .. 0 white .. 1 orange.
struct colour palette_signed(double share);

// Warm, the same for the same name: frames of a flame graph.
struct colour palette_frame(struct text name);

// Grey-blue: categories above the frames.
struct colour palette_category(struct text name);

// Whether black (or else white) text is readable on it.
bool palette_is_light(struct colour colour);

// The nearest of xterm's 256 colours, 16 to 255.
uint8_t palette_256(struct colour colour);

#endif

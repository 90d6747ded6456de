// SPDX-License-Identifier: Apache-2.0
#include "export/palette.h"

// Cividis at equal distances.
static const struct colour CIVIDIS[] = {
    {0, 32, 76},     {0, 52, 110},    {57, 72, 107},   {87, 92, 109},  {112, 113, 115},
    {138, 134, 120}, {166, 157, 117}, {197, 181, 108}, {255, 234, 70},
};

static const struct colour SIGNED[] = {
    {5, 113, 176}, {146, 197, 222}, {247, 247, 247}, {253, 184, 99}, {230, 97, 1},
};

static uint8_t mix(uint8_t from, uint8_t to, double share)
{
    return (uint8_t)(from + (to - from) * share + 0.5);
}

// `share` 0 to 1 along the colours.
static struct colour along(const struct colour *colours, int cnt, double share)
{
    double place = (share < 0 ? 0 : share > 1 ? 1 : share) * (cnt - 1);
    int from = (int)place < cnt - 1 ? (int)place : cnt - 2;
    double part = place - from;
    return (struct colour){
        mix(colours[from].red, colours[from + 1].red, part),
        mix(colours[from].green, colours[from + 1].green, part),
        mix(colours[from].blue, colours[from + 1].blue, part),
    };
}

struct colour palette_unsigned(double share)
{
    return along(CIVIDIS, sizeof CIVIDIS / sizeof CIVIDIS[0], share);
}

struct colour palette_signed(double share)
{
    return along(SIGNED, sizeof SIGNED / sizeof SIGNED[0], (share + 1) / 2);
}

static uint32_t hash_of(struct text name)
{
    uint32_t hash = 2166136261U;
    for (uint32_t i = 0; i < name.len; i++) {
        hash = (hash ^ (unsigned char)name.bytes[i]) * 16777619U;
    }
    return hash ^ hash >> 15;
}

struct colour palette_frame(struct text name)
{
    uint32_t hash = hash_of(name);
    return (struct colour){(uint8_t)(205 + hash % 50), (uint8_t)(110 + (hash >> 8) % 90),
                           (uint8_t)(40 + (hash >> 16) % 40)};
}

struct colour palette_category(struct text name)
{
    uint32_t hash = hash_of(name);
    return (struct colour){(uint8_t)(140 + hash % 30), (uint8_t)(165 + (hash >> 8) % 30),
                           (uint8_t)(195 + (hash >> 16) % 30)};
}

bool palette_is_light(struct colour colour)
{
    return 299 * colour.red + 587 * colour.green + 114 * colour.blue > 128000;
}

static int level_of(uint8_t value)
{
    return value < 48 ? 0 : value < 115 ? 1 : (value - 35) / 40;
}

static int distance(struct colour a, int red, int green, int blue)
{
    int r = a.red - red;
    int g = a.green - green;
    int b = a.blue - blue;
    return r * r + g * g + b * b;
}

uint8_t palette_256(struct colour colour)
{
    static const int LEVELS[] = {0, 95, 135, 175, 215, 255};
    int red = level_of(colour.red);
    int green = level_of(colour.green);
    int blue = level_of(colour.blue);
    int grey = (colour.red + colour.green + colour.blue) / 3;
    int step = grey < 8 ? 0 : grey > 238 ? 23 : (grey - 8 + 5) / 10;
    step = step > 23 ? 23 : step;
    int shade = 8 + 10 * step;
    bool is_grey = distance(colour, shade, shade, shade) <
                   distance(colour, LEVELS[red], LEVELS[green], LEVELS[blue]);
    return (uint8_t)(is_grey ? 232 + step : 16 + 36 * red + 6 * green + blue);
}

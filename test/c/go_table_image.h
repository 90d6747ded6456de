// SPDX-License-Identifier: Apache-2.0
// Builds small tables of Go's functions, for the tests of their readers.
#ifndef FLAME_PROF_TEST_GO_TABLE_IMAGE_H
#define FLAME_PROF_TEST_GO_TABLE_IMAGE_H

#include "unwind/go_table.h"

#include <string.h>

enum { GO_IMAGE_BYTES = 4096, GO_IMAGE_PARTS = 512 };

enum go_image_version { GO_IMAGE_1_18 = 0xF0, GO_IMAGE_1_20 = 0xF1 };

// `steps`: pairs of what the depth changes by (zigzag) and of how many bytes it then holds; a
// NUL at the end.
struct go_image_function {
    const char *name;
    uint32_t start; // from the beginning of the text
    uint8_t flags;
    const char *steps;
};

struct go_table_image {
    unsigned char bytes[GO_IMAGE_BYTES];
    size_t len;
    size_t steps; // where the next ones go
};

static inline void go_image_put(struct go_table_image *image, size_t at, const void *from,
                                size_t len)
{
    memcpy(image->bytes + at, from, len);
    image->len = at + len > image->len ? at + len : image->len;
}

static inline void go_image_put_word(struct go_table_image *image, size_t at, uint64_t value)
{
    go_image_put(image, at, &value, sizeof value);
}

// The head, then names, units, steps and functions, each at a multiple of GO_IMAGE_PARTS; the
// last function ends at `end`.
static inline void go_image_make(struct go_table_image *image, enum go_image_version version,
                                 const struct go_image_function *functions, uint32_t cnt,
                                 uint32_t end)
{
    const unsigned char head[8] = {(unsigned char)version, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8};
    size_t names = GO_IMAGE_PARTS;
    size_t steps = 3 * GO_IMAGE_PARTS + 1; // number 0 is none
    size_t rows = 4 * GO_IMAGE_PARTS;
    size_t told = rows + 8 * (size_t)cnt + 8;
    memset(image, 0, sizeof *image);
    go_image_put(image, 0, head, sizeof head);
    go_image_put_word(image, 8, cnt);
    go_image_put_word(image, 32, GO_IMAGE_PARTS);
    go_image_put_word(image, 40, 2 * GO_IMAGE_PARTS);
    go_image_put_word(image, 56, 3 * GO_IMAGE_PARTS);
    go_image_put_word(image, 64, 4 * GO_IMAGE_PARTS);
    for (uint32_t i = 0; i < cnt; i++) {
        const struct go_image_function *function = &functions[i];
        uint32_t row[] = {function->start, (uint32_t)(told - rows)};
        uint32_t name_at = (uint32_t)(names - GO_IMAGE_PARTS);
        uint32_t steps_at = (uint32_t)(steps - 3 * GO_IMAGE_PARTS);
        go_image_put(image, rows + 8 * (size_t)i, row, sizeof row);
        go_image_put(image, told, &function->start, 4);
        go_image_put(image, told + 4, &name_at, 4);
        go_image_put(image, told + 16, &steps_at, 4);
        go_image_put(image, told + (version == GO_IMAGE_1_18 ? 37 : 41), &function->flags, 1);
        go_image_put(image, names, function->name, strlen(function->name) + 1);
        go_image_put(image, steps, function->steps, strlen(function->steps) + 1);
        told += 48;
        names += strlen(function->name) + 1;
        steps += strlen(function->steps) + 1;
    }
    go_image_put(image, rows + 8 * (size_t)cnt, &end, sizeof end);
    image->steps = steps;
}

// A number among what is told of function `i`, `at` bytes behind its beginning.
static inline void go_image_put_number(struct go_table_image *image, uint32_t i, size_t at,
                                       uint32_t number)
{
    size_t rows = 4 * GO_IMAGE_PARTS;
    uint32_t told;
    memcpy(&told, image->bytes + rows + 8 * (size_t)i + 4, sizeof told);
    go_image_put(image, rows + told + at, &number, sizeof number);
}

// Further steps of function `i`.
static inline void go_image_add_steps(struct go_table_image *image, uint32_t i,
                                      enum go_step_kind kind, const char *steps)
{
    uint32_t steps_at = (uint32_t)(image->steps - 3 * GO_IMAGE_PARTS);
    go_image_put_number(image, i, 16 + 4 * (size_t)kind, steps_at);
    go_image_put(image, image->steps, steps, strlen(steps) + 1);
    image->steps += strlen(steps) + 1;
}

enum { GO_IMAGE_PATHS = 2 * GO_IMAGE_PARTS + 64 };

static inline void go_image_put_unit(struct go_table_image *image, uint32_t i, uint32_t unit)
{
    go_image_put_number(image, i, 32, unit);
}

// The files of all units, one after the other, behind the units' part; NULL: none.
static inline void go_image_put_paths(struct go_table_image *image, const char *const *paths,
                                      uint32_t cnt)
{
    size_t path = GO_IMAGE_PATHS;
    go_image_put_word(image, 48, GO_IMAGE_PATHS);
    for (uint32_t i = 0; i < 64 / sizeof i; i++) {
        uint32_t at = i < cnt && paths[i] != NULL ? (uint32_t)(path - GO_IMAGE_PATHS) : UINT32_MAX;
        go_image_put(image, 2 * GO_IMAGE_PARTS + sizeof at * i, &at, sizeof at);
        if (at != UINT32_MAX) {
            go_image_put(image, path, paths[i], strlen(paths[i]) + 1);
            path += strlen(paths[i]) + 1;
        }
    }
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Several symbol files of any bytes, loaded, purged and replaced over generations:
// what is found is inside what was asked for, and memory stays bounded.
//
// Some are read later than they are listed.
//
// The input is a list of steps: a byte of what to do, a byte of which key, two of
// length, then the file.
#include "symbols/beam/code_map.h"

#include <stdlib.h>
#include <string.h>

enum { STEP_BYTES = 4, MIN_FILE_BYTES = 16, MAX_MAP_BYTES = 1 << 16 };

static void look(const struct code_map *map, uint64_t address, uint32_t generation)
{
    struct code_location location;
    if (!code_map_find(map, address, generation, &location)) {
        return;
    }
    volatile char last = 0;
    if (location.name.len > 0) {
        last = location.name.bytes[location.name.len - 1];
    }
    if (location.file.len > 0) {
        last = location.file.bytes[location.file.len - 1];
    }
    (void)last;
    if (location.function_start > address || !code_map_covers(map, address)) {
        abort();
    }
}

static void read_later(struct code_map *map, const uint8_t *file, size_t len)
{
    struct code_key key;
    uint64_t base;
    memcpy(&base, file + 8, sizeof base);
    if (code_map_unread(map, base, &key) && key.symfile_bytes == len) {
        uint8_t *exact = malloc(len);
        memcpy(exact, file, len);
        (void)code_map_read(map, base, exact);
        free(exact);
    }
}

static void add(struct code_map *map, const struct code_key *key, const uint8_t *exact,
                bool is_whole)
{
    size_t head_bytes = key->symfile_bytes < 64 ? key->symfile_bytes : 64;
    if (is_whole || code_map_is_read(map, key) ||
        !code_map_add_unread(map, key, exact, head_bytes)) {
        (void)code_map_add(map, key, exact);
    }
}

static void look_around(const struct code_map *map, const uint8_t *file, uint32_t generation)
{
    uint64_t base;
    uint32_t code_bytes;
    memcpy(&base, file + 8, sizeof base);
    memcpy(&code_bytes, file + (MIN_FILE_BYTES - 4), sizeof code_bytes);
    for (uint64_t offset = 0; offset < 4096; offset += 61) {
        look(map, base + offset, generation);
        look(map, base + offset, generation / 2);
    }
    look(map, base + code_bytes, generation);
    look(map, base - 1, generation);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct code_map *map = code_map_create(MAX_MAP_BYTES);
    uint32_t generation = 0;
    code_map_begin(map, generation);
    while (size >= STEP_BYTES + MIN_FILE_BYTES) {
        size_t len = (size_t)bytes[2] | (size_t)bytes[3] << 8;
        struct code_key key = {bytes[1] & 15, 1, 0};
        uint8_t action = bytes[0];
        bytes += STEP_BYTES;
        size -= STEP_BYTES;
        len = len < MIN_FILE_BYTES ? MIN_FILE_BYTES : len;
        len = len < size ? len : size;
        key.symfile_bytes = len;
        if (!code_map_has(map, &key)) {
            uint8_t *exact = malloc(len); // its last byte is the last readable one
            memcpy(exact, bytes, len);
            add(map, &key, exact, (action & 4) == 0);
            free(exact);
        }
        if ((action & 3) == 0) {
            code_map_end(map);
            read_later(map, bytes, len);
            look_around(map, bytes, generation);
            code_map_begin(map, ++generation);
        } else if ((action & 3) == 1) {
            code_map_begin(map, generation); // the walk began again
        }
        bytes += len;
        size -= len;
    }
    code_map_end(map);
    code_map_destroy(map);
    return 0;
}

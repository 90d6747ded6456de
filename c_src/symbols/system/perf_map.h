// SPDX-License-Identifier: Apache-2.0
// Names of generated code, as a JIT writes them to /tmp/perf-PID.map: lines
// `START SIZE NAME` in hexadecimal, appended while it runs. A later line takes
// over the addresses of an earlier one that begins at the same place. Input is
// hostile. One owner, one thread.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_PERF_MAP_H
#define FLAME_PROF_SYMBOLS_SYSTEM_PERF_MAP_H

#include "symbols/system/symbol_table.h"

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct with fd -1 is empty.
struct perf_map {
    int fd; // kept open, so that growth is seen after the process has gone
    uint64_t read_bytes;
    uint64_t malformed_cnt;
    struct symbol_table table;
};

// The descriptor becomes the map's own.
void perf_map_open(struct perf_map *map, int fd_take, size_t max_bytes);

// Reads what was appended since the last time, all of it when the file has
// become shorter. True when there was something.
bool perf_map_update(struct perf_map *map);

// False when nothing is known about `address`.
bool perf_map_find(const struct perf_map *map, uint64_t address, struct text *name);

// Harmless twice.
void perf_map_close(struct perf_map *map);

// Takes whole lines; for perf_map_update and tests. Returns the bytes of `bytes`
// that are whole lines (the rest is a beginning).
size_t perf_map_parse(struct perf_map *map, const char *bytes, size_t len);

#endif

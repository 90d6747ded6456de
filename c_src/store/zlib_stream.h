// SPDX-License-Identifier: Apache-2.0
// Compresses into zlib's own format, for readers that are no gunzip. Two
// implementations, chosen by the build, as of gzip_stream.h. One thread per stream.
#ifndef FLAME_PROF_STORE_ZLIB_STREAM_H
#define FLAME_PROF_STORE_ZLIB_STREAM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct zlib_stream;

// How much time is spent on looking for what repeats.
enum zlib_effort {
    ZLIB_EFFORT_RUNS, // only runs of a byte: several times faster
    ZLIB_EFFORT_FULL,
};

// NULL, with the reason, when zlib is missing or memory is short.
struct zlib_stream *zlib_stream_create(enum zlib_effort effort, struct error *err);
void zlib_stream_destroy(struct zlib_stream *stream); // NULL-safe

// What comes next, borrowed until it is taken; at most UINT_MAX bytes.
void zlib_stream_input(struct zlib_stream *stream, const void *bytes, size_t len);

// What it compresses to so far, with `is_end` to its end; less than `out_len` (at most
// UINT_MAX) when all of it is out.
size_t zlib_stream_output(struct zlib_stream *stream, void *out, size_t out_len, bool is_end);

// Begins another one.
void zlib_stream_reset(struct zlib_stream *stream);

#endif

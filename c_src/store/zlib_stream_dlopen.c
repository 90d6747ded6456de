// SPDX-License-Identifier: Apache-2.0
// Builds without zlib, opens libz.so.1 at run time.
#include "store/zlib_stream.h"

#include "store/deflate_dlopen.h"

#include <stdlib.h>

enum { LEVEL = 6, WINDOW_BITS = 15, MEM_LEVEL = 9, RLE = 3 };

struct zlib_stream {
    struct deflate_dlopen zlib;
};

static bool begin(struct zlib_stream *stream, enum zlib_effort effort, struct error *err)
{
    int strategy = effort == ZLIB_EFFORT_RUNS ? RLE : 0;
    if (!deflate_dlopen_load(&stream->zlib)) {
        return error_set(err, ERROR_UNSUPPORTED, "zlib: libz.so.1 not found; install zlib1g");
    }
    return deflate_dlopen_begin(&stream->zlib, LEVEL, WINDOW_BITS, MEM_LEVEL, strategy) ||
           error_set(err, ERROR_NO_MEMORY, "zlib: out of memory");
}

struct zlib_stream *zlib_stream_create(enum zlib_effort effort, struct error *err)
{
    struct zlib_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "zlib: out of memory");
        return NULL;
    }
    if (!begin(stream, effort, err)) {
        zlib_stream_destroy(stream);
        return NULL;
    }
    return stream;
}

void zlib_stream_destroy(struct zlib_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    deflate_dlopen_close(&stream->zlib);
    free(stream);
}

void zlib_stream_input(struct zlib_stream *stream, const void *bytes, size_t len)
{
    stream->zlib.stream.next_in = bytes;
    stream->zlib.stream.avail_in = (unsigned)len;
}

size_t zlib_stream_output(struct zlib_stream *stream, void *out, size_t out_len, bool is_end)
{
    stream->zlib.stream.next_out = out;
    stream->zlib.stream.avail_out = (unsigned)out_len;
    (void)stream->zlib.deflate(&stream->zlib.stream, is_end ? ZLIB_ABI_FINISH : ZLIB_ABI_NO_FLUSH);
    return out_len - stream->zlib.stream.avail_out;
}

void zlib_stream_reset(struct zlib_stream *stream)
{
    (void)stream->zlib.reset(&stream->zlib.stream);
}

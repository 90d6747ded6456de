// SPDX-License-Identifier: Apache-2.0
// For the command, which is linked with zlib.
#include "store/zlib_stream.h"

#include <stdlib.h>
#include <zlib.h>

enum { LEVEL = 6, WINDOW_BITS = 15, MEM_LEVEL = 9 };

struct zlib_stream {
    z_stream z;
};

struct zlib_stream *zlib_stream_create(enum zlib_effort effort, struct error *err)
{
    struct zlib_stream *stream = calloc(1, sizeof *stream);
    int strategy = effort == ZLIB_EFFORT_RUNS ? Z_RLE : Z_DEFAULT_STRATEGY;
    if (stream == NULL ||
        deflateInit2(&stream->z, LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, strategy) != Z_OK) {
        free(stream);
        (void)error_set(err, ERROR_NO_MEMORY, "zlib: out of memory");
        return NULL;
    }
    return stream;
}

void zlib_stream_destroy(struct zlib_stream *stream)
{
    if (stream != NULL) {
        (void)deflateEnd(&stream->z);
    }
    free(stream);
}

void zlib_stream_input(struct zlib_stream *stream, const void *bytes, size_t len)
{
    stream->z.next_in = (z_const Bytef *)bytes;
    stream->z.avail_in = (uInt)len;
}

size_t zlib_stream_output(struct zlib_stream *stream, void *out, size_t out_len, bool is_end)
{
    stream->z.next_out = out;
    stream->z.avail_out = (uInt)out_len;
    (void)deflate(&stream->z, is_end ? Z_FINISH : Z_NO_FLUSH);
    return out_len - stream->z.avail_out;
}

void zlib_stream_reset(struct zlib_stream *stream)
{
    (void)deflateReset(&stream->z);
}

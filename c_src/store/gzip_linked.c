// SPDX-License-Identifier: Apache-2.0
// For the command, which is linked with zlib. gzip_dlopen.c is the NIF's way to
// the same bytes.
#include "store/gzip_stream.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16,
    LEVEL = 1, // the cheapest: the CPU is the profiled host's
    MEM_LEVEL = 8,
    OUT_PIECE_BYTES = 32768,
};

struct gzip_stream {
    z_stream z;
    bool member_open;
};

struct gzip_stream *gzip_stream_create(struct error *err)
{
    struct gzip_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || deflateInit2(&stream->z, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, MEM_LEVEL,
                                       Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        (void)error_set(err, ERROR_NO_MEMORY, "gzip: out of memory");
        return NULL;
    }
    return stream;
}

void gzip_stream_destroy(struct gzip_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    (void)deflateEnd(&stream->z);
    free(stream);
}

static bool deflate_to(struct gzip_stream *stream, int flush, struct byte_buffer *out,
                       struct error *err)
{
    unsigned char piece[OUT_PIECE_BYTES];
    int status = Z_OK;
    do {
        stream->z.next_out = piece;
        stream->z.avail_out = sizeof piece;
        status = deflate(&stream->z, flush);
        if (!byte_buffer_append(out, piece, sizeof piece - stream->z.avail_out)) {
            return error_set(err, ERROR_NO_MEMORY, "gzip: no memory for compressed data");
        }
    } while (status == Z_OK && (stream->z.avail_out == 0 || flush == Z_FINISH));
    return true;
}

bool gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t len,
                       struct byte_buffer *out, struct error *err)
{
    const unsigned char *at = bytes;
    while (len > 0) {
        uInt part = len < UINT_MAX ? (uInt)len : UINT_MAX;
        stream->z.next_in = (z_const Bytef *)at;
        stream->z.avail_in = part;
        stream->member_open = true;
        if (!deflate_to(stream, Z_NO_FLUSH, out, err)) {
            return false;
        }
        at += part;
        len -= part;
    }
    return true;
}

bool gzip_stream_end_member(struct gzip_stream *stream, struct byte_buffer *out, struct error *err)
{
    if (!stream->member_open) {
        return true;
    }
    stream->z.avail_in = 0;
    bool ok = deflate_to(stream, Z_FINISH, out, err);
    gzip_stream_reset(stream);
    return ok;
}

void gzip_stream_reset(struct gzip_stream *stream)
{
    (void)deflateReset(&stream->z);
    stream->member_open = false;
}

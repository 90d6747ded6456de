// SPDX-License-Identifier: Apache-2.0
// For the NIF: builds without zlib, opens libz.so.1 at run time.
#include "store/gzip_stream.h"

#include "store/deflate_dlopen.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEVEL = 1, // the cheapest: the CPU is the profiled node's
    MEM_LEVEL = 8,
    OUT_PIECE_BYTES = 32768,
};

struct gzip_stream {
    struct deflate_dlopen zlib;
    bool member_open;
};

struct gzip_stream *gzip_stream_create(struct error *err)
{
    struct gzip_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "gzip: out of memory");
        return NULL;
    }
    if (!deflate_dlopen_load(&stream->zlib)) {
        gzip_stream_destroy(stream);
        (void)error_set(err, ERROR_UNSUPPORTED,
                        "gzip: libz.so.1 not found (install zlib1g, or use compress => none)");
        return NULL;
    }
    if (!deflate_dlopen_begin(&stream->zlib, LEVEL, ZLIB_ABI_GZIP_WINDOW_BITS, MEM_LEVEL, 0)) {
        gzip_stream_destroy(stream);
        (void)error_set(err, ERROR_UNSUPPORTED, "gzip: this libz.so.1 refuses our interface");
        return NULL;
    }
    return stream;
}

void gzip_stream_destroy(struct gzip_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    deflate_dlopen_close(&stream->zlib);
    free(stream);
}

static bool deflate_to(struct gzip_stream *stream, int flush, struct byte_buffer *out,
                       struct error *err)
{
    unsigned char piece[OUT_PIECE_BYTES];
    int status;
    do {
        stream->zlib.stream.next_out = piece;
        stream->zlib.stream.avail_out = sizeof piece;
        status = stream->zlib.deflate(&stream->zlib.stream, flush);
        if (!byte_buffer_append(out, piece, sizeof piece - stream->zlib.stream.avail_out)) {
            return error_set(err, ERROR_NO_MEMORY, "gzip: no memory for compressed data");
        }
    } while (status == ZLIB_ABI_OK &&
             (stream->zlib.stream.avail_out == 0 || flush == ZLIB_ABI_FINISH));
    return true;
}

bool gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t len,
                       struct byte_buffer *out, struct error *err)
{
    stream->zlib.stream.next_in = bytes;
    stream->zlib.stream.avail_in = (unsigned)len;
    stream->member_open = stream->member_open || len > 0;
    return deflate_to(stream, ZLIB_ABI_NO_FLUSH, out, err);
}

bool gzip_stream_end_member(struct gzip_stream *stream, struct byte_buffer *out, struct error *err)
{
    if (!stream->member_open) {
        return true;
    }
    stream->zlib.stream.avail_in = 0;
    bool ok = deflate_to(stream, ZLIB_ABI_FINISH, out, err);
    gzip_stream_reset(stream);
    return ok;
}

void gzip_stream_reset(struct gzip_stream *stream)
{
    (void)stream->zlib.reset(&stream->zlib.stream);
    stream->member_open = false;
}

// SPDX-License-Identifier: Apache-2.0
// For the NIF: builds without zlib, opens libz.so.1 at run time.
#include "store/gzip_stream.h"

#include "store/zlib_abi.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFLATED = 8,
    LEVEL = 1, // the cheapest: the CPU is the profiled node's
    MEM_LEVEL = 8,
    OUT_PIECE_BYTES = 32768,
};

struct gzip_stream {
    void *library;
    int (*init)(struct zlib_abi_stream *stream, int level, int method, int window_bits,
                int mem_level, int strategy, const char *version, int stream_bytes);
    int (*deflate)(struct zlib_abi_stream *stream, int flush);
    int (*reset)(struct zlib_abi_stream *stream);
    int (*end)(struct zlib_abi_stream *stream);
    struct zlib_abi_stream z;
    bool initialised;
    bool member_open;
};

static bool load(struct gzip_stream *stream)
{
    stream->library = dlopen(ZLIB_ABI_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (stream->library == NULL) {
        return false;
    }
    *(void **)&stream->init = dlsym(stream->library, "deflateInit2_");
    *(void **)&stream->deflate = dlsym(stream->library, "deflate");
    *(void **)&stream->reset = dlsym(stream->library, "deflateReset");
    *(void **)&stream->end = dlsym(stream->library, "deflateEnd");
    return stream->init != NULL && stream->deflate != NULL && stream->reset != NULL &&
           stream->end != NULL;
}

struct gzip_stream *gzip_stream_create(struct error *err)
{
    struct gzip_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "gzip: out of memory");
        return NULL;
    }
    if (!load(stream)) {
        gzip_stream_destroy(stream);
        (void)error_set(err, ERROR_UNSUPPORTED,
                        "gzip: libz.so.1 not found (install zlib1g, or use compress => none)");
        return NULL;
    }
    stream->initialised =
        stream->init(&stream->z, LEVEL, DEFLATED, ZLIB_ABI_GZIP_WINDOW_BITS, MEM_LEVEL, 0,
                     ZLIB_ABI_VERSION, (int)sizeof stream->z) == ZLIB_ABI_OK;
    if (!stream->initialised) {
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
    if (stream->initialised) {
        (void)stream->end(&stream->z);
    }
    if (stream->library != NULL) {
        (void)dlclose(stream->library);
    }
    free(stream);
}

static bool deflate_to(struct gzip_stream *stream, int flush, struct byte_buffer *out,
                       struct error *err)
{
    unsigned char piece[OUT_PIECE_BYTES];
    int status;
    do {
        stream->z.next_out = piece;
        stream->z.avail_out = sizeof piece;
        status = stream->deflate(&stream->z, flush);
        if (!byte_buffer_append(out, piece, sizeof piece - stream->z.avail_out)) {
            return error_set(err, ERROR_NO_MEMORY, "gzip: no memory for compressed data");
        }
    } while (status == ZLIB_ABI_OK && (stream->z.avail_out == 0 || flush == ZLIB_ABI_FINISH));
    return true;
}

bool gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t len,
                       struct byte_buffer *out, struct error *err)
{
    stream->z.next_in = bytes;
    stream->z.avail_in = (unsigned)len;
    stream->member_open = stream->member_open || len > 0;
    return deflate_to(stream, ZLIB_ABI_NO_FLUSH, out, err);
}

bool gzip_stream_end_member(struct gzip_stream *stream, struct byte_buffer *out, struct error *err)
{
    if (!stream->member_open) {
        return true;
    }
    stream->z.avail_in = 0;
    bool ok = deflate_to(stream, ZLIB_ABI_FINISH, out, err);
    gzip_stream_reset(stream);
    return ok;
}

void gzip_stream_reset(struct gzip_stream *stream)
{
    (void)stream->reset(&stream->z);
    stream->member_open = false;
}

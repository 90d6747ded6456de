// SPDX-License-Identifier: Apache-2.0
// For the NIF: builds without zlib, opens libz.so.1 at run time. The structure
// and the calls are zlib's stable ABI since 1.2
// (https://github.com/madler/zlib/blob/v1.2.13/zlib.h); deflateInit2_ compares
// the size of the structure and the version by itself.
#include "store/gzip_stream.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct z_stream_abi {
    const unsigned char *next_in;
    unsigned avail_in;
    unsigned long total_in;
    unsigned char *next_out;
    unsigned avail_out;
    unsigned long total_out;
    const char *message;
    void *state;
    void *(*alloc)(void *opaque, unsigned items, unsigned size);
    void (*release)(void *opaque, void *address);
    void *opaque;
    int data_type;
    unsigned long adler;
    unsigned long reserved;
};

enum {
    NO_FLUSH = 0,
    FINISH = 4,
    OK = 0,
    STREAM_END = 1,
    DEFLATED = 8,
    GZIP_WINDOW_BITS = 15 + 16,
    LEVEL = 1, // the cheapest: the CPU is the profiled node's
    MEM_LEVEL = 8,
    OUT_PIECE_BYTES = 32768,
};

struct gzip_stream {
    void *library;
    int (*init)(struct z_stream_abi *stream, int level, int method, int window_bits, int mem_level,
                int strategy, const char *version, int stream_bytes);
    int (*deflate)(struct z_stream_abi *stream, int flush);
    int (*reset)(struct z_stream_abi *stream);
    int (*end)(struct z_stream_abi *stream);
    struct z_stream_abi z;
    bool initialised;
    bool member_open;
};

static bool load(struct gzip_stream *stream)
{
    stream->library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
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
    stream->initialised = stream->init(&stream->z, LEVEL, DEFLATED, GZIP_WINDOW_BITS, MEM_LEVEL, 0,
                                       "1.2.11", (int)sizeof stream->z) == OK;
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
    } while (status == OK && (stream->z.avail_out == 0 || flush == FINISH));
    return true;
}

bool gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t len,
                       struct byte_buffer *out, struct error *err)
{
    stream->z.next_in = bytes;
    stream->z.avail_in = (unsigned)len;
    stream->member_open = stream->member_open || len > 0;
    return deflate_to(stream, NO_FLUSH, out, err);
}

bool gzip_stream_end_member(struct gzip_stream *stream, struct byte_buffer *out, struct error *err)
{
    if (!stream->member_open) {
        return true;
    }
    stream->z.avail_in = 0;
    bool ok = deflate_to(stream, FINISH, out, err);
    gzip_stream_reset(stream);
    return ok;
}

void gzip_stream_reset(struct gzip_stream *stream)
{
    (void)stream->reset(&stream->z);
    stream->member_open = false;
}

// SPDX-License-Identifier: Apache-2.0
// Builds without zlib, opens libz.so.1 at run time.
#include "store/zlib_stream.h"

#include "store/zlib_abi.h"

#include <dlfcn.h>
#include <stdlib.h>

enum { LEVEL = 6, DEFLATED = 8, WINDOW_BITS = 15, MEM_LEVEL = 9, RLE = 3 };

struct zlib_stream {
    void *library;
    int (*init)(struct zlib_abi_stream *stream, int level, int method, int window_bits,
                int mem_level, int strategy, const char *version, int stream_bytes);
    int (*deflate)(struct zlib_abi_stream *stream, int flush);
    int (*reset)(struct zlib_abi_stream *stream);
    int (*end)(struct zlib_abi_stream *stream);
    struct zlib_abi_stream z;
    bool has_begun;
};

static bool load(struct zlib_stream *stream)
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

static bool begin(struct zlib_stream *stream, enum zlib_effort effort, struct error *err)
{
    int strategy = effort == ZLIB_EFFORT_RUNS ? RLE : 0;
    if (!load(stream)) {
        return error_set(err, ERROR_UNSUPPORTED, "zlib: libz.so.1 not found; install zlib1g");
    }
    stream->has_begun = stream->init(&stream->z, LEVEL, DEFLATED, WINDOW_BITS, MEM_LEVEL, strategy,
                                     ZLIB_ABI_VERSION, (int)sizeof stream->z) == ZLIB_ABI_OK;
    return stream->has_begun || error_set(err, ERROR_NO_MEMORY, "zlib: out of memory");
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
    if (stream->has_begun) {
        (void)stream->end(&stream->z);
    }
    if (stream->library != NULL) {
        (void)dlclose(stream->library);
    }
    free(stream);
}

void zlib_stream_input(struct zlib_stream *stream, const void *bytes, size_t len)
{
    stream->z.next_in = bytes;
    stream->z.avail_in = (unsigned)len;
}

size_t zlib_stream_output(struct zlib_stream *stream, void *out, size_t out_len, bool is_end)
{
    stream->z.next_out = out;
    stream->z.avail_out = (unsigned)out_len;
    (void)stream->deflate(&stream->z, is_end ? ZLIB_ABI_FINISH : ZLIB_ABI_NO_FLUSH);
    return out_len - stream->z.avail_out;
}

void zlib_stream_reset(struct zlib_stream *stream)
{
    (void)stream->reset(&stream->z);
}

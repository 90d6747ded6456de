// SPDX-License-Identifier: Apache-2.0
// zlib's compressor, from libz.so.1 as found at run time: for what builds without zlib.
#ifndef FLAME_PROF_STORE_DEFLATE_DLOPEN_H
#define FLAME_PROF_STORE_DEFLATE_DLOPEN_H

#include "store/zlib_abi.h"

#include <stdbool.h>

enum { DEFLATE_METHOD = 8 }; // the only one there is

struct deflate_dlopen {
    void *library;
    int (*init)(struct zlib_abi_stream *stream, int level, int method, int window_bits,
                int mem_level, int strategy, const char *version, int stream_bytes);
    int (*deflate)(struct zlib_abi_stream *stream, int flush);
    int (*reset)(struct zlib_abi_stream *stream);
    int (*end)(struct zlib_abi_stream *stream);
    struct zlib_abi_stream stream;
    bool has_begun;
};

// False when there is no such library, or not with these functions. _close is needed
// either way.
bool deflate_dlopen_load(struct deflate_dlopen *deflate);
// A stream of it; arguments as deflateInit2's. False when the library refuses.
bool deflate_dlopen_begin(struct deflate_dlopen *deflate, int level, int window_bits, int mem_level,
                          int strategy);
void deflate_dlopen_close(struct deflate_dlopen *deflate);

#endif

// SPDX-License-Identifier: Apache-2.0
// What is needed of zlib where it is not linked with but opened at run time: its stable
// ABI since 1.2 (https://github.com/madler/zlib/blob/v1.2.13/zlib.h). The functions that
// begin a stream compare the size of the structure and the version by themselves.
#ifndef FLAME_PROF_STORE_ZLIB_ABI_H
#define FLAME_PROF_STORE_ZLIB_ABI_H

#define ZLIB_ABI_LIBRARY "libz.so.1"
#define ZLIB_ABI_VERSION "1.2.11"

enum { ZLIB_ABI_OK = 0, ZLIB_ABI_STREAM_END = 1, ZLIB_ABI_BUF_ERROR = -5 };
enum { ZLIB_ABI_NO_FLUSH = 0, ZLIB_ABI_FINISH = 4 };
enum { ZLIB_ABI_GZIP_WINDOW_BITS = 15 + 16 };

struct zlib_abi_stream {
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

#endif

// SPDX-License-Identifier: Apache-2.0
// Compresses a stream of bytes into gzip members. Two implementations, chosen
// by the build: gzip_linked.c (the command, static zlib) and gzip_dlopen.c (the
// NIF, which must build without zlib: it opens libz.so.1 when first asked).
// One thread per stream.
#ifndef FLAME_PROF_STORE_GZIP_STREAM_H
#define FLAME_PROF_STORE_GZIP_STREAM_H

#include "base/byte_buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct gzip_stream;

// NULL, with the reason, when zlib is missing or memory is short.
struct gzip_stream *gzip_stream_create(struct error *err);
void gzip_stream_destroy(struct gzip_stream *stream);

// Appends what `len` more bytes compress to so far.
bool gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t len,
                       struct byte_buffer *out, struct error *err);

// Ends the member; the next write begins another. Nothing when the member is
// empty.
bool gzip_stream_end_member(struct gzip_stream *stream, struct byte_buffer *out, struct error *err);

// Forgets an unfinished member.
void gzip_stream_reset(struct gzip_stream *stream);

#endif

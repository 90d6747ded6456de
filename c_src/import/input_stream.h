// SPDX-License-Identifier: Apache-2.0
// The bytes of a file or of standard input ("-"): plain, gzip or zstd, told by their
// first bytes. Members or frames one behind the other are one stream. One owner, one
// thread.
#ifndef FLAME_PROF_IMPORT_INPUT_STREAM_H
#define FLAME_PROF_IMPORT_INPUT_STREAM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input_stream;

// NULL, with the reason.
struct input_stream *input_stream_open(const char *path, struct error *err);
// Bytes in memory, borrowed. NULL when out of memory.
struct input_stream *input_stream_of_bytes(const void *bytes, size_t len, struct error *err);
void input_stream_close(struct input_stream *stream);

// Fills `bytes` with up to `len` (> 0) bytes; 0 in `*got` is the end. False, with the
// reason, when it breaks off: what came before was good.
bool input_stream_read(struct input_stream *stream, char *bytes, size_t len, size_t *got,
                       struct error *err);

// Whether it is a file that takes time to decompress.
bool input_stream_is_compressed(const struct input_stream *stream);

// Of the file: compressed bytes so far, and its size (0 = unknown: a pipe).
uint64_t input_stream_done_bytes(const struct input_stream *stream);
uint64_t input_stream_total_bytes(const struct input_stream *stream);

#endif

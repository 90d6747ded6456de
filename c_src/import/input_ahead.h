// SPDX-License-Identifier: Apache-2.0
// Decompresses a stream in a thread of its own, some pieces ahead of who reads them.
// One owner, one thread, which leaves the stream alone meanwhile.
#ifndef FLAME_PROF_IMPORT_INPUT_AHEAD_H
#define FLAME_PROF_IMPORT_INPUT_AHEAD_H

#include "import/input_stream.h"

struct input_ahead;

// The stream stays the caller's. NULL, with the reason, when there is no thread or no
// memory for it: the stream is as it was.
struct input_ahead *input_ahead_create(struct input_stream *stream, struct error *err);

// Ends the thread. NULL-safe.
void input_ahead_destroy(struct input_ahead *ahead);

// As input_stream_read.
bool input_ahead_read(struct input_ahead *ahead, char *bytes, size_t len, size_t *got,
                      struct error *err);

// Of the file, for what was read so far.
uint64_t input_ahead_done_bytes(const struct input_ahead *ahead);

#endif

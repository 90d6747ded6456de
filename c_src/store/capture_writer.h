// SPDX-License-Identifier: Apache-2.0
// Writes the capture file, docs/capture-format.md: batches of a profile builder become
// chunks. Whole at each chunk's end: what was cut off behind it loses nothing before.
// One owner, one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_WRITER_H
#define FLAME_PROF_STORE_CAPTURE_WRITER_H

#include "base/byte_buffer.h"
#include "model/profile.h"

#include <stdbool.h>

struct capture_writer;

// NULL when out of memory.
struct capture_writer *capture_writer_create(void);
void capture_writer_destroy(struct capture_writer *writer);

// The head of a file. The appenders return false when the buffer refused, or memory is
// short; the caller then truncates it to where it was and rolls back.
bool capture_writer_begin(struct capture_writer *writer, struct byte_buffer *out);

// The rows of `batch`, at most CAPTURE_MAX_ROWS, and what is new in its dictionary. All
// batches of a file come from one builder.
bool capture_writer_batch(struct capture_writer *writer, const struct profile *batch,
                          struct byte_buffer *out);

// Nothing comes behind it. With what is new, but for rows.
bool capture_writer_end(struct capture_writer *writer, const struct profile *profile,
                        struct byte_buffer *out);

// What was appended reached the file, or never will: what it would have told is told
// again by the next chunk.
void capture_writer_commit(struct capture_writer *writer);
void capture_writer_roll_back(struct capture_writer *writer);

#endif

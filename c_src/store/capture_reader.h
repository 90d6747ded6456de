// SPDX-License-Identifier: Apache-2.0
// Reads the capture file, docs/capture-format.md, into a profile: everything at once
// but metric columns, which are decoded when first asked for. Input is hostile; a file
// that was cut, or is being written, gives its whole chunks. Any thread, one file each.
#ifndef FLAME_PROF_STORE_CAPTURE_READER_H
#define FLAME_PROF_STORE_CAPTURE_READER_H

#include "base/error.h"
#include "model/profile.h"

#include <stdbool.h>
#include <stddef.h>

// True when the bytes begin as a capture does.
bool capture_reader_knows(const void *bytes, size_t len);

// NULL, with the reason: no capture, a later version, out of memory. `max_bytes` bounds
// what is decoded (0 = 4 GiB). What is behind damage is missing: profile->stats has it in
// malformed_cnt; without its end the last source is incomplete.
struct profile *capture_reader_open(const char *path, size_t max_bytes, struct error *err);

// The same of bytes, which the profile takes over (from malloc) in any case.
struct profile *capture_reader_take(void *bytes, size_t len, size_t max_bytes, struct error *err);

#endif

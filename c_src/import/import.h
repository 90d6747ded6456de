// SPDX-License-Identifier: Apache-2.0
// Foreign formats into a profile: perf-script text in its many shapes, folded stacks,
// what bcc and bpftrace print, pprof; plain, gzip or zstd; a file or standard input.
// Malformed records are counted (profile->stats) and never fatal. Input of any size
// streams through bounded memory. Any thread, one import each.
#ifndef FLAME_PROF_IMPORT_IMPORT_H
#define FLAME_PROF_IMPORT_IMPORT_H

#include "base/error.h"
#include "model/profile_builder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum import_format {
    IMPORT_AUTO,        // by its first bytes
    IMPORT_PERF_SCRIPT, // docs/perf-script-format.md, `perf script`
    IMPORT_FOLDED,      // `root;leaf COUNT`
    IMPORT_STACKS,      // bcc's profile and offcputime, bpftrace's maps
    IMPORT_PPROF,       // profile.proto, usually gzip
    IMPORT_FORMAT_CNT
};

struct import_options {
    enum import_format format;
    // Called some times a second at most, from the importing thread: bytes of the file
    // so far, and of all of it (0 = unknown). False ends the import with an error. NULL:
    // nobody asks.
    bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *progress_context;
};

// Reads `path` ("-" = standard input) into `builder`, as a source named after it. False,
// with the reason, when it cannot be opened, is of no known format, or breaks off: what
// came before is in the builder. Does not flush the builder. `options` may be NULL.
bool import_file(struct profile_builder *builder, const char *path,
                 const struct import_options *options, struct error *err);

// The same for bytes in memory, decompressed if need be.
bool import_bytes(struct profile_builder *builder, const void *bytes, size_t len,
                  const struct import_options *options, struct error *err);

// The whole file as a profile in memory of at most `max_bytes` (0 = 2 GiB). NULL, with
// the reason. A file that breaks off behind its first sample gives what came before,
// with the reason in `err` all the same.
struct profile *import_profile(const char *path, size_t max_bytes,
                               const struct import_options *options, struct error *err);

// "perf-script", "folded"...; static, never NULL.
const char *import_format_name(enum import_format format);

#endif

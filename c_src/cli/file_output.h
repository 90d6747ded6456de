// SPDX-License-Identifier: Apache-2.0
// Standard output, or a file that appears under its name when it is complete,
// compressed when that ends in .gz. One owner, one thread.
#ifndef FLAME_PROF_CLI_FILE_OUTPUT_H
#define FLAME_PROF_CLI_FILE_OUTPUT_H

#include "base/byte_buffer.h"
#include "base/byte_output.h"
#include "store/gzip_stream.h"

#include <limits.h>

struct file_output {
    struct byte_output output;
    int fd;
    const char *path;          // borrowed; NULL = standard output
    struct gzip_stream *gzip;  // NULL = as it is
    struct byte_buffer packed; // what is compressed and not yet written
    char part[PATH_MAX];
};

// `path` NULL or "-" = standard output. False, with the reason.
bool file_output_open(struct file_output *file, const char *path, struct error *err);

// Gives the file its name when `is_complete`, else removes it. False, with the reason,
// when that, or writing what was left, failed.
bool file_output_close(struct file_output *file, bool is_complete, struct error *err);

#endif

// SPDX-License-Identifier: Apache-2.0
// A capture file from what the command line names: of samples in memory, or streamed.
#ifndef FLAME_PROF_CLI_CAPTURE_OUTPUT_H
#define FLAME_PROF_CLI_CAPTURE_OUTPUT_H

#include "base/error.h"
#include "query/selection.h"

// The selected samples; `path` "-" is standard output. `bytes_ret` is the file's size.
bool capture_output_write(const struct selection *selection, const char *path, uint64_t *bytes_ret,
                          struct error *err);

// What import/ reads of `from`, in the order of the file, in bounded memory however long
// it is. `rows_ret`: samples.
bool capture_output_stream(const char *from, const char *path, uint64_t *rows_ret,
                           uint64_t *bytes_ret, struct error *err);

#endif

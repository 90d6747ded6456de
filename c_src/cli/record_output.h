// SPDX-License-Identifier: Apache-2.0
// Where `flameprof record` writes: the directory, the file's name and what its suffix says.
#ifndef FLAME_PROF_CLI_RECORD_OUTPUT_H
#define FLAME_PROF_CLI_RECORD_OUTPUT_H

#include "base/error.h"
#include "store/file_series.h"

#include <stdbool.h>

struct record_output {
    char directory[FILE_SERIES_PATH_BYTES];
    char stem[FILE_SERIES_NAME_BYTES];
    const char *suffix; // static
    enum file_compression compression;
    bool is_capture; // not text
};

// From -o. False, with a message for a person, where no format has such a suffix.
bool record_output_at(struct record_output *output, const char *path, struct error *err);

// A file in this directory, with the time in its name unless it is one of a series.
bool record_output_default(struct record_output *output, enum file_naming naming, bool is_text,
                           struct error *err);

#endif

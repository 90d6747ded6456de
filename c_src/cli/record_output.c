// SPDX-License-Identifier: Apache-2.0
#include "cli/record_output.h"

#include "base/clock.h"
#include "store/capture_format.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *suffix;
    enum file_compression compression;
    bool is_capture;
} FORMATS[] = {
    {CAPTURE_SUFFIX, FILE_COMPRESSION_NONE, true}, {".perf", FILE_COMPRESSION_NONE, false},
    {".perf.gz", FILE_COMPRESSION_GZIP, false},    {".txt", FILE_COMPRESSION_NONE, false},
    {".txt.gz", FILE_COMPRESSION_GZIP, false},
};

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static bool split_path(struct record_output *output, const char *path, size_t suffix_len,
                       struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *directory = slash == NULL ? "." : path;
    size_t directory_len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    size_t stem_len = strlen(name) - suffix_len; // record_output_at looked
    if (directory_len >= sizeof output->directory || stem_len >= sizeof output->stem) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-o: the file name is too long");
    }
    (void)snprintf(output->directory, sizeof output->directory, "%.*s", (int)directory_len,
                   directory);
    (void)snprintf(output->stem, sizeof output->stem, "%.*s", (int)stem_len, name);
    return true;
}

bool record_output_at(struct record_output *output, const char *path, struct error *err)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
        if (ends_with(name, FORMATS[i].suffix)) {
            output->suffix = FORMATS[i].suffix;
            output->compression = FORMATS[i].compression;
            output->is_capture = FORMATS[i].is_capture;
            return split_path(output, path, strlen(FORMATS[i].suffix), err);
        }
    }
    return error_set(err, ERROR_BAD_ARGUMENT,
                     "-o %s: the suffix chooses the format, it must be .fpc (capture), .perf or "
                     ".txt (text), .perf.gz or .txt.gz (compressed text), with a name before it",
                     path);
}

bool record_output_default(struct record_output *output, enum file_naming naming, bool is_text,
                           struct error *err)
{
    char stamp[32] = "";
    char name[64];
    struct tm utc;
    time_t now = (time_t)(clock_anchor_now().unix_ns / CLOCK_NS_PER_S);
    if (naming == FILE_NAMING_SINGLE && gmtime_r(&now, &utc) != NULL) {
        (void)strftime(stamp, sizeof stamp, "-%Y%m%dT%H%M%SZ", &utc);
    }
    (void)snprintf(name, sizeof name, "flameprof%s%s", stamp, is_text ? ".perf" : CAPTURE_SUFFIX);
    return record_output_at(output, name, err);
}

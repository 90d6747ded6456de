// SPDX-License-Identifier: Apache-2.0
// Output files, one at a time: written under a hidden name, renamed into place
// when complete, older ones of the same series deleted beyond a count or a size.
// What a killed writer of the series left is put in place by the next. Optional gzip, one member
// per sync, so that a file cut at a sync is a valid gzip file. One thread.
#ifndef FLAME_PROF_STORE_FILE_SERIES_H
#define FLAME_PROF_STORE_FILE_SERIES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum file_naming {
    // DIRECTORY/STEM SUFFIX, replaced if it exists. Where one was finished before its time (a
    // full disk) the next is STEM-2, and so on.
    FILE_NAMING_SINGLE,
    FILE_NAMING_SERIES, // DIRECTORY/STEM-YYYYMMDDTHHMMSSZ-PID-NNNN SUFFIX
};

enum file_compression { FILE_COMPRESSION_NONE, FILE_COMPRESSION_GZIP };

enum { FILE_SERIES_NAME_BYTES = 256, FILE_SERIES_PATH_BYTES = 4096 };

struct file_series_options {
    const char *directory; // created, with its parents, when missing
    const char *stem;      // [A-Za-z0-9._-]+, at most 160
    const char *suffix;    // ".perf"; ".gz" is added for gzip (unless it ends in it)
    enum file_naming naming;
    enum file_compression compression;
    uint32_t max_files;       // 0 = no limit; counts finished files of this stem
    bool adopts_leftovers;    // finishes what a killed writer of this stem left
    uint64_t max_total_bytes; // 0 = no limit; of the same files together, the last one stays
};

struct gzip_stream;

struct file_series {
    struct file_series_options options; // strings copied into the arrays below
    char directory[FILE_SERIES_PATH_BYTES];
    char stem[FILE_SERIES_NAME_BYTES];
    char suffix[32];
    int directory_fd;                           // -1 when closed
    int fd;                                     // -1 between files
    char name[FILE_SERIES_NAME_BYTES];          // of the open file
    char finished_name[FILE_SERIES_NAME_BYTES]; // of the last finished one
    uint64_t file_bytes;                        // on disk, of the open file
    uint64_t synced_bytes;                      // up to the last file_series_sync
    uint64_t total_bytes;                       // of all finished files
    uint32_t sequence;
    uint32_t finished_cnt;
    struct gzip_stream *gzip;
};

// Creates the directory and proves that it can be written. On failure nothing
// is left to close.
bool file_series_open(struct file_series *series, const struct file_series_options *options,
                      struct error *err);

// Starts the next file. Makes the directory again if it is gone.
bool file_series_begin_file(struct file_series *series, struct error *err);

// Appends to the open file. On failure the file is cut back to the last sync.
bool file_series_write(struct file_series *series, const void *bytes, size_t len,
                       struct error *err);

// Everything written so far is in the file and, for gzip, a whole member.
bool file_series_sync(struct file_series *series, struct error *err);

// Closes the open file, renames it into place and prunes old ones. The name is
// then in series->finished_name. Without an open file: does nothing.
bool file_series_finish_file(struct file_series *series, struct error *err);

// Removes the open file (nothing worth keeping in it).
void file_series_discard_file(struct file_series *series);

// Discards an open file. Harmless twice and on a zeroed struct.
void file_series_close(struct file_series *series);

// DIRECTORY/NAME of the open or last finished file, into `path`.
void file_series_path(const struct file_series *series, char *path, size_t path_bytes);

#endif

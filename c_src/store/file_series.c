// SPDX-License-Identifier: Apache-2.0
#include "store/file_series.h"

#include "base/clock.h"
#include "store/finished_files.h"
#include "store/gzip_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// A stem with time, process, sequence and suffix is a file name still (NAME_MAX).
enum { GZIP_CHUNK_BYTES = 1 << 20, STEM_MAX_LEN = 160 };

// ---- directory ------------------------------------------------------------------

static bool make_directories(const char *path, struct error *err)
{
    char partial[FILE_SERIES_PATH_BYTES];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof partial) {
        return error_set(err, ERROR_BAD_ARGUMENT, "output directory: bad path length %zu", len);
    }
    memcpy(partial, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (partial[i] != '/' && partial[i] != '\0') {
            continue;
        }
        char kept = partial[i];
        partial[i] = '\0';
        if (mkdir(partial, 0755) != 0 && errno != EEXIST) {
            return error_os(err, errno, "output directory %s: create", partial);
        }
        partial[i] = kept;
    }
    return true;
}

// A directory that cannot be written must be told at start, not at the first
// flush.
static bool prove_writable(int directory_fd, const char *path, struct error *err)
{
    char probe[64];
    (void)snprintf(probe, sizeof probe, ".flame_prof-%d.probe", getpid());
    int fd = openat(directory_fd, probe, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return error_os(err, errno, "output directory %s: not writable (choose another)", path);
    }
    (void)close(fd);
    (void)unlinkat(directory_fd, probe, 0);
    return true;
}

static void close_directory(struct file_series *series)
{
    if (series->directory_fd >= 0) {
        (void)close(series->directory_fd);
        series->directory_fd = -1;
    }
}

static bool open_directory(struct file_series *series, struct error *err)
{
    if (!make_directories(series->directory, err)) {
        return false;
    }
    series->directory_fd = open(series->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (series->directory_fd < 0) {
        return error_os(err, errno, "output directory %s: open", series->directory);
    }
    return prove_writable(series->directory_fd, series->directory, err);
}

static bool is_plain_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("._-+", *c) != NULL;
        if (!plain) {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '.';
}

static bool copy_options(struct file_series *series, const struct file_series_options *options,
                         struct error *err)
{
    if (!is_plain_name(options->stem)) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "output name %s: Flamescope opens only names of letters, digits, . _ -",
                         options->stem);
    }
    size_t suffix_len = strlen(options->suffix);
    bool has_gz = suffix_len > 3 && strcmp(options->suffix + suffix_len - 3, ".gz") == 0;
    bool adds_gz = options->compression == FILE_COMPRESSION_GZIP && !has_gz;
    bool fits = snprintf(series->directory, sizeof series->directory, "%s", options->directory) <
                    (int)sizeof series->directory &&
                snprintf(series->stem, sizeof series->stem, "%s", options->stem) <= STEM_MAX_LEN &&
                snprintf(series->suffix, sizeof series->suffix, "%s%s", options->suffix,
                         adds_gz ? ".gz" : "") < (int)sizeof series->suffix;
    if (!fits) {
        return error_set(err, ERROR_BAD_ARGUMENT, "output name: too long");
    }
    series->options = *options;
    series->options.directory = series->directory;
    series->options.stem = series->stem;
    series->options.suffix = series->suffix;
    return true;
}

bool file_series_open(struct file_series *series, const struct file_series_options *options,
                      struct error *err)
{
    memset(series, 0, sizeof *series);
    series->directory_fd = -1;
    series->fd = -1;
    bool ok = copy_options(series, options, err) && open_directory(series, err);
    if (ok && options->compression == FILE_COMPRESSION_GZIP) {
        series->gzip = gzip_stream_create(err);
        ok = series->gzip != NULL;
    }
    if (!ok) {
        file_series_close(series);
    } else if (options->adopts_leftovers) {
        finished_files_adopt(series);
        finished_files_prune(series);
    }
    return ok;
}

// ---- one file -------------------------------------------------------------------

static void choose_name(struct file_series *series)
{
    if (series->options.naming == FILE_NAMING_SINGLE) {
        char number[16] = "";
        if (series->finished_cnt > 0) {
            (void)snprintf(number, sizeof number, "-%u", series->finished_cnt + 1);
        }
        (void)snprintf(series->name, sizeof series->name, "%.200s%s%s", series->stem, number,
                       series->suffix);
        return;
    }
    char stamp[32] = "";
    struct tm utc;
    time_t now = (time_t)(clock_anchor_now().unix_ns / CLOCK_NS_PER_S);
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    }
    (void)snprintf(series->name, sizeof series->name, "%.160s-%s-%d-%04u%s", series->stem, stamp,
                   getpid(), ++series->sequence, series->suffix);
}

static void hidden_name(const struct file_series *series, char *hidden, size_t hidden_bytes)
{
    (void)snprintf(hidden, hidden_bytes, ".%s.part", series->name);
}

static int create_at(int directory_fd, const char *name)
{
    return openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
}

bool file_series_begin_file(struct file_series *series, struct error *err)
{
    char hidden[FILE_SERIES_NAME_BYTES + 8];
    choose_name(series);
    hidden_name(series, hidden, sizeof hidden);
    series->file_bytes = 0;
    series->synced_bytes = 0;
    series->fd = create_at(series->directory_fd, hidden);
    if (series->fd < 0 && (series->directory_fd < 0 || errno == ENOENT)) {
        close_directory(series); // somebody removed it: made again, as at the start
        if (!open_directory(series, err)) {
            return false;
        }
        series->fd = create_at(series->directory_fd, hidden);
    }
    if (series->fd < 0) {
        return error_os(err, errno, "output file %s/%s: create", series->directory, hidden);
    }
    (void)flock(series->fd, LOCK_EX | LOCK_NB); // as long as we live: finished_files_adopt
    return true;
}

static bool write_plain(struct file_series *series, const char *bytes, size_t len,
                        struct error *err)
{
    while (len > 0) {
        ssize_t written = write(series->fd, bytes, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return error_os(err, written == 0 ? EIO : errno, "output file %s/%s: write",
                            series->directory, series->name);
        }
        bytes += written;
        len -= (size_t)written;
        series->file_bytes += (uint64_t)written;
    }
    return true;
}

static void cut_to_sync(struct file_series *series)
{
    if (series->gzip != NULL) {
        gzip_stream_reset(series->gzip);
    }
    // Best effort: the disk is already in trouble.
    if (ftruncate(series->fd, (off_t)series->synced_bytes) == 0) {
        (void)lseek(series->fd, (off_t)series->synced_bytes, SEEK_SET);
        series->file_bytes = series->synced_bytes;
    }
}

static bool write_gzip(struct file_series *series, const char *bytes, size_t len, struct error *err)
{
    bool ok = true;
    for (size_t at = 0; at < len && ok; at += GZIP_CHUNK_BYTES) {
        size_t piece = len - at < GZIP_CHUNK_BYTES ? len - at : GZIP_CHUNK_BYTES;
        struct byte_buffer out;
        byte_buffer_init(&out, 2UL * GZIP_CHUNK_BYTES + 4096);
        ok = gzip_stream_write(series->gzip, bytes + at, piece, &out, err) &&
             write_plain(series, out.bytes, out.len, err);
        byte_buffer_deinit(&out);
    }
    return ok;
}

bool file_series_write(struct file_series *series, const void *bytes, size_t len, struct error *err)
{
    bool ok = series->gzip == NULL ? write_plain(series, bytes, len, err)
                                   : write_gzip(series, bytes, len, err);
    if (!ok) {
        cut_to_sync(series);
    }
    return ok;
}

bool file_series_sync(struct file_series *series, struct error *err)
{
    bool ok = true;
    if (series->gzip != NULL) {
        struct byte_buffer out;
        byte_buffer_init(&out, 2UL * GZIP_CHUNK_BYTES);
        ok = gzip_stream_end_member(series->gzip, &out, err) &&
             write_plain(series, out.bytes, out.len, err);
        byte_buffer_deinit(&out);
    }
    if (!ok) {
        cut_to_sync(series);
        return false;
    }
    series->synced_bytes = series->file_bytes;
    return true;
}

// ---- finished files -------------------------------------------------------------

bool file_series_finish_file(struct file_series *series, struct error *err)
{
    if (series->fd < 0) {
        return true;
    }
    char hidden[FILE_SERIES_NAME_BYTES + 8];
    hidden_name(series, hidden, sizeof hidden);
    bool ok = file_series_sync(series, err);
    series->total_bytes += series->file_bytes;
    (void)close(series->fd);
    series->fd = -1;
    if (renameat(series->directory_fd, hidden, series->directory_fd, series->name) != 0) {
        return error_os(err, errno, "output file %s/%s: rename into place", series->directory,
                        series->name);
    }
    (void)snprintf(series->finished_name, sizeof series->finished_name, "%s", series->name);
    series->finished_cnt++;
    finished_files_prune(series);
    return ok;
}

void file_series_discard_file(struct file_series *series)
{
    if (series->fd < 0) {
        return;
    }
    char hidden[FILE_SERIES_NAME_BYTES + 8];
    hidden_name(series, hidden, sizeof hidden);
    (void)close(series->fd);
    series->fd = -1;
    (void)unlinkat(series->directory_fd, hidden, 0);
    if (series->gzip != NULL) {
        gzip_stream_reset(series->gzip);
    }
}

void file_series_close(struct file_series *series)
{
    if (series->directory[0] == '\0') {
        return; // zeroed: its descriptors are not ours
    }
    file_series_discard_file(series);
    close_directory(series);
    gzip_stream_destroy(series->gzip);
    series->gzip = NULL;
}

void file_series_path(const struct file_series *series, char *path, size_t path_bytes)
{
    (void)snprintf(path, path_bytes, "%s/%s", series->directory, series->name);
}

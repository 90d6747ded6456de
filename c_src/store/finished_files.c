// SPDX-License-Identifier: Apache-2.0
#include "store/finished_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct finished_files {
    uint32_t cnt;
    uint64_t total_bytes;
    uint64_t oldest_bytes;
    char oldest[FILE_SERIES_NAME_BYTES];
};

static const char *skip_digits(const char *at, size_t least)
{
    size_t cnt = strspn(at, "0123456789");
    return cnt < least ? "" : at + cnt;
}

static const char *skip_char(const char *at, char c)
{
    return *at == c ? at + 1 : "";
}

// STEM-YYYYMMDDTHHMMSSZ-PID-NNNN.perf: somebody's STEM-notes.perf is not ours to
// delete.
static bool is_finished_name(const struct file_series *series, const char *name)
{
    size_t stem_len = strlen(series->stem);
    if (strncmp(name, series->stem, stem_len) != 0) {
        return false;
    }
    const char *at = skip_digits(skip_char(name + stem_len, '-'), 8);
    at = skip_digits(skip_char(at, 'T'), 6);
    at = skip_digits(skip_char(skip_char(at, 'Z'), '-'), 1);
    at = skip_digits(skip_char(at, '-'), 4);
    return strcmp(at, ".perf") == 0 || strcmp(at, ".perf.gz") == 0 ||
           strcmp(at, series->suffix) == 0;
}

static DIR *open_listing(const struct file_series *series)
{
    int fd = dup(series->directory_fd);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL && fd >= 0) {
        (void)close(fd);
    }
    if (directory != NULL) {
        rewinddir(directory);
    }
    return directory;
}

// Names sort by time, then process, then sequence: 9999 before 10000.
static void take(const struct file_series *series, const char *name, struct finished_files *files)
{
    struct stat status;
    uint64_t bytes = 0;
    if (fstatat(series->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        bytes = (uint64_t)status.st_size;
    }
    files->cnt++;
    files->total_bytes += bytes;
    if (files->oldest[0] == '\0' || strverscmp(name, files->oldest) < 0) {
        (void)snprintf(files->oldest, sizeof files->oldest, "%s", name);
        files->oldest_bytes = bytes;
    }
}

static bool list(const struct file_series *series, struct finished_files *files)
{
    DIR *directory = open_listing(series);
    if (directory == NULL) {
        return false;
    }
    *files = (struct finished_files){0};
    for (struct dirent *entry = NULL; (entry = readdir(directory)) != NULL;) {
        if (is_finished_name(series, entry->d_name)) {
            take(series, entry->d_name, files);
        }
    }
    (void)closedir(directory);
    return true;
}

static bool is_too_much(const struct file_series_options *options,
                        const struct finished_files *files)
{
    return (options->max_files != 0 && files->cnt > options->max_files) ||
           (options->max_total_bytes != 0 && files->cnt > 1 &&
            files->total_bytes > options->max_total_bytes);
}

void finished_files_prune(const struct file_series *series)
{
    const struct file_series_options *options = &series->options;
    struct finished_files files;
    if ((options->max_files == 0 && options->max_total_bytes == 0) ||
        options->naming == FILE_NAMING_SINGLE) {
        return;
    }
    while (list(series, &files) && is_too_much(options, &files)) {
        if (unlinkat(series->directory_fd, files.oldest, 0) != 0) {
            return;
        }
    }
}

// `.NAME.part` -> NAME, if NAME is one of ours.
static bool finished_name(const struct file_series *series, const char *hidden, char *name,
                          size_t name_bytes)
{
    size_t len = strlen(hidden);
    if (hidden[0] != '.' || len <= 6 || len >= name_bytes ||
        strcmp(hidden + len - 5, ".part") != 0) {
        return false;
    }
    (void)snprintf(name, name_bytes, "%.*s", (int)(len - 6), hidden + 1);
    return is_finished_name(series, name);
}

static void adopt(const struct file_series *series, const char *hidden, const char *name)
{
    struct stat status;
    int fd = openat(series->directory_fd, hidden, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_left = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (is_left && status.st_size == 0) {
        (void)unlinkat(series->directory_fd, hidden, 0);
    } else if (is_left) {
        (void)renameat2(series->directory_fd, hidden, series->directory_fd, name, RENAME_NOREPLACE);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void finished_files_adopt(const struct file_series *series)
{
    char name[FILE_SERIES_NAME_BYTES];
    DIR *directory = open_listing(series);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry = NULL; (entry = readdir(directory)) != NULL;) {
        if (finished_name(series, entry->d_name, name, sizeof name)) {
            adopt(series, entry->d_name, name);
        }
    }
    (void)closedir(directory);
}

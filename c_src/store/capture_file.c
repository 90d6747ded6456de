// SPDX-License-Identifier: Apache-2.0
#include "store/capture_file.h"

#include "store/capture_format.h"
#include "store/capture_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct capture_file {
    int fd;
    bool is_in_place;
    char path[PATH_BYTES];
    char part[PATH_BYTES + 8]; // until it is whole
    uint64_t written_bytes;
    struct capture_writer *writer;
    struct byte_buffer chunk;
};

static bool write_chunk(struct capture_file *file, struct error *err)
{
    const char *at = file->chunk.bytes;
    size_t left = file->chunk.len;
    while (left > 0) {
        ssize_t put = write(file->fd, at, left);
        if (put < 0 && errno != EINTR) {
            return error_os(err, errno, "%s", file->path);
        }
        at += put > 0 ? put : 0;
        left -= put > 0 ? (size_t)put : 0;
    }
    file->written_bytes += file->chunk.len;
    byte_buffer_clear(&file->chunk);
    capture_writer_commit(file->writer);
    return true;
}

static bool open_file(struct capture_file *file, const char *path, struct error *err)
{
    bool is_stdout = strcmp(path, "-") == 0;
    struct stat status;
    file->is_in_place = is_stdout || (stat(path, &status) == 0 && !S_ISREG(status.st_mode));
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (strlen(path) >= sizeof file->path) {
        return error_set(err, ERROR_BAD_ARGUMENT, "%.100s...: the path is too long", path);
    }
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    (void)snprintf(file->part, sizeof file->part, "%.*s.%s.part", (int)(name - path), path, name);
    file->fd = is_stdout ? dup(STDOUT_FILENO)
               : file->is_in_place
                   ? open(path, O_WRONLY | O_CLOEXEC)
                   : open(file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return file->fd >= 0 || error_os(err, errno, "%s", path);
}

struct capture_file *capture_file_create(const char *path, struct error *err)
{
    struct capture_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    byte_buffer_init(&file->chunk, CAPTURE_MAX_BYTES);
    file->writer = capture_writer_create();
    if (!open_file(file, path, err)) {
        file->part[0] = '\0';
        capture_file_destroy(file);
        return NULL;
    }
    if (file->writer == NULL || !capture_writer_begin(file->writer, &file->chunk)) {
        (void)error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
        capture_file_destroy(file);
        return NULL;
    }
    return file;
}

void capture_file_destroy(struct capture_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    if (file->part[0] != '\0' && !file->is_in_place) {
        (void)unlink(file->part);
    }
    capture_writer_destroy(file->writer);
    byte_buffer_deinit(&file->chunk);
    free(file);
}

static bool too_large(const struct capture_file *file, struct error *err)
{
    return error_set(err, ERROR_LIMIT, "%s: a chunk is too large, or memory is short", file->path);
}

bool capture_file_batch(void *context, struct profile *batch, struct error *err)
{
    struct capture_file *file = context;
    return capture_writer_batch(file->writer, batch, &file->chunk) ? write_chunk(file, err)
                                                                   : too_large(file, err);
}

bool capture_file_finish(struct capture_file *file, const struct profile *profile, uint64_t *bytes,
                         struct error *err)
{
    if (!capture_writer_end(file->writer, profile, &file->chunk)) {
        return too_large(file, err);
    }
    if (!write_chunk(file, err)) {
        return false;
    }
    int fd = file->fd;
    file->fd = -1;
    if (close(fd) != 0 || (!file->is_in_place && rename(file->part, file->path) != 0)) {
        return error_os(err, errno, "%s", file->path);
    }
    file->part[0] = '\0';
    if (bytes != NULL) {
        *bytes = file->written_bytes;
    }
    return true;
}

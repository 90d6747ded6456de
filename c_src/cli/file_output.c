// SPDX-License-Identifier: Apache-2.0
#include "cli/file_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool write_all(void *context, const void *bytes, size_t len, struct error *err)
{
    struct file_output *file = context;
    const char *at = bytes;
    while (len > 0) {
        ssize_t cnt = write(file->fd, at, len);
        if (cnt < 0 && errno == EINTR) {
            continue;
        }
        if (cnt < 0) {
            return error_os(err, errno, "%s", file->path == NULL ? "standard output" : file->path);
        }
        at += cnt;
        len -= (size_t)cnt;
    }
    return true;
}

// .NAME.part beside it.
static bool name_part(struct file_output *file, struct error *err)
{
    const char *slash = strrchr(file->path, '/');
    const char *name = slash == NULL ? file->path : slash + 1;
    int len = snprintf(file->part, sizeof file->part, "%.*s.%s.part", (int)(name - file->path),
                       file->path, name);
    return len < (int)sizeof file->part ||
           error_set(err, ERROR_BAD_ARGUMENT, "%.100s...: the name is too long", file->path);
}

bool file_output_open(struct file_output *file, const char *path, struct error *err)
{
    file->output = (struct byte_output){write_all, file};
    file->path = path == NULL || strcmp(path, "-") == 0 ? NULL : path;
    file->fd = STDOUT_FILENO;
    if (file->path == NULL) {
        return true;
    }
    if (!name_part(file, err)) {
        return false;
    }
    file->fd = open(file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return file->fd >= 0 || error_os(err, errno, "%s", file->part);
}

bool file_output_close(struct file_output *file, bool is_complete, struct error *err)
{
    if (file->path == NULL || file->fd < 0) {
        return true;
    }
    if (close(file->fd) != 0 && is_complete) {
        (void)unlink(file->part);
        return error_os(err, errno, "%s", file->path);
    }
    if (!is_complete) {
        (void)unlink(file->part);
        return true;
    }
    return rename(file->part, file->path) == 0 || error_os(err, errno, "%s", file->path);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/file_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PACKED_MAX_BYTES = 1 << 30 };

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

static bool write_packed(struct file_output *file, struct error *err)
{
    bool ok = write_all(file, file->packed.bytes, file->packed.len, err);
    byte_buffer_clear(&file->packed);
    return ok;
}

static bool pack_all(void *context, const void *bytes, size_t len, struct error *err)
{
    struct file_output *file = context;
    return gzip_stream_write(file->gzip, bytes, len, &file->packed, err) && write_packed(file, err);
}

// The rest of what is compressed.
static bool finish_packing(struct file_output *file, struct error *err)
{
    return file->gzip == NULL ||
           (gzip_stream_end_member(file->gzip, &file->packed, err) && write_packed(file, err));
}

static bool begin_packing(struct file_output *file, struct error *err)
{
    size_t len = strlen(file->path);
    byte_buffer_init(&file->packed, PACKED_MAX_BYTES);
    if (len < 3 || strcmp(file->path + len - 3, ".gz") != 0) {
        return true;
    }
    file->gzip = gzip_stream_create(err);
    file->output.write = pack_all;
    return file->gzip != NULL;
}

// A device or a pipe is written to: renaming onto it would replace it.
static bool is_special(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

// .NAME.part beside it; nothing where it is written in place.
static bool name_part(struct file_output *file, struct error *err)
{
    file->part[0] = '\0';
    if (is_special(file->path)) {
        return true;
    }
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
    file->gzip = NULL;
    file->fd = STDOUT_FILENO;
    if (file->path == NULL) {
        return true;
    }
    file->fd = -1;
    if (!name_part(file, err) || !begin_packing(file, err)) {
        return false;
    }
    bool in_place = file->part[0] == '\0';
    file->fd =
        open(in_place ? file->path : file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        gzip_stream_destroy(file->gzip);
        file->gzip = NULL;
        return error_os(err, errno, "%s", in_place ? file->path : file->part);
    }
    return true;
}

bool file_output_close(struct file_output *file, bool is_complete, struct error *err)
{
    if (file->path == NULL || file->fd < 0) {
        return true;
    }
    bool ok = !is_complete || finish_packing(file, err);
    gzip_stream_destroy(file->gzip);
    byte_buffer_deinit(&file->packed);
    if (close(file->fd) != 0 && is_complete && ok) {
        ok = error_os(err, errno, "%s", file->path);
    }
    if (file->part[0] == '\0') {
        return ok;
    }
    if (!is_complete || !ok) {
        (void)unlink(file->part);
        return ok;
    }
    return rename(file->part, file->path) == 0 || error_os(err, errno, "%s", file->path);
}

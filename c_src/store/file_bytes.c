// SPDX-License-Identifier: Apache-2.0
#include "store/file_bytes.h"

#include "base/big_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// Up to `len` bytes: less where the file is shorter by now.
static bool read_all(int fd, unsigned char *bytes, size_t len, size_t *len_ret)
{
    size_t have = 0;
    ssize_t got = 1;
    while (have < len && got != 0) {
        got = read(fd, bytes + have, len - have);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    *len_ret = have;
    return true;
}

static unsigned char *read_open(int fd, const char *path, size_t *len_ret, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        (void)error_os(err, errno, "%s", path);
        return NULL;
    }
    size_t len = (size_t)status.st_size;
    unsigned char *bytes = S_ISREG(status.st_mode) ? malloc(len + 1) : NULL;
    if (bytes == NULL) {
        (void)error_set(err, ERROR_BAD_ARGUMENT, "%s: no regular file, or too large", path);
        return NULL;
    }
    big_memory_advise(bytes, len + 1);
    if (!read_all(fd, bytes, len, len_ret)) {
        (void)error_os(err, errno, "%s", path);
        free(bytes);
        return NULL;
    }
    return bytes;
}

unsigned char *file_bytes_read(const char *path, size_t *len_ret, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_os(err, errno, "%s", path);
        return NULL;
    }
    unsigned char *bytes = read_open(fd, path, len_ret, err);
    (void)close(fd);
    return bytes;
}
